"""Comparing runs: the table, what stands beside it, and what is refused."""

from __future__ import annotations

import csv
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic_runs import drawn_run, first_words, sample, write_run

from evaluators.analysis.comparison import Comparison, flip
from evaluators.analysis.paired import paired_estimate
from evaluators.analysis.summary import summarise
from evaluators.compare import compare_pairs, main, write_tables
from evaluators.presentation.comparison_remarks import remarks
from evaluators.presentation.comparison_tables import latex_table, markdown_table, text_table
from evaluators.presentation.run_table import limit, p_value, plain_p
from srgen.errors import SRGenError


def summarised(directory: Path, **options: object) -> Path:
    summarise(drawn_run(directory, **options), first_words)  # type: ignore[arg-type]
    return directory


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pair")
    return [
        summarised(folder / "base", questions=30, k=8),
        summarised(folder / "srgen", questions=30, k=8, srgen=True, seed=1, wall_seconds=300.0),
    ]


def compared(pair: list[Path]) -> Comparison:
    return compare_pairs(pair)[0]


def test_table_holds_both_rates_the_difference_its_interval_and_p(
    pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*map(str, pair), "--output_dir", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    avg = compared(pair).differences["Avg"]
    assert f"{avg.base:.1f}  {avg.other:.1f} ({avg.delta:+.1f})" in printed
    assert f"[{avg.interval.low:+.1f}, {avg.interval.high:+.1f}] p {avg.p:.3f}" in printed
    row = next(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert row["avg@k_difference"] == f"{avg.delta:.1f}"
    assert row["k"] == "8"
    assert int(row["other_tokens"]) > 0
    assert "| tiny-1B | aime-2024 |" in (tmp_path / "comparison.md").read_text()
    assert r"\toprule" in (tmp_path / "comparison.tex").read_text()


def test_interval_of_the_average_is_that_of_its_paired_differences(pair: list[Path]) -> None:
    comparison = compared(pair)
    rates = [(classes == 0).mean(axis=1) for classes in (comparison.base_classes, comparison.other_classes)]
    assert comparison.differences["Avg"].interval == pytest.approx(
        100 * np.array(paired_estimate(rates[1] - rates[0]).interval)
    )


def test_remarks_say_what_could_be_found_and_what_it_cost(pair: list[Path]) -> None:
    text = "\n".join(remarks(compared(pair)))
    assert "smallest difference that 30 questions at K = 8 find 4 times in 5" in text
    assert "22 points at K = 1, 10 at 5, 5.5 at 16 and 2.8 at 64" in text
    assert "the difference seen" in text
    for cost in ("tokens", "300.0 wall seconds", "reflections a sample", "per million tokens"):
        assert cost in text


def test_summary_csvs_do_as_well_as_directories(pair: list[Path], tmp_path: Path) -> None:
    copies = []
    for run in pair:
        target = tmp_path / run.name
        target.mkdir()
        for name in ("summary.csv", "questions.csv"):
            shutil.copy(run / name, target)
        copies.append(target / "summary.csv")
    assert text_table(compare_pairs(copies)) == text_table(compare_pairs(pair))


def test_a_comparison_can_be_repeated_exactly(pair: list[Path]) -> None:
    assert compared(pair).differences == compared(pair).differences


def test_several_pairs_are_adjusted_together(pair: list[Path], tmp_path: Path) -> None:
    other = [
        summarised(tmp_path / "a", questions=20, k=8, benchmark="amc"),
        summarised(tmp_path / "b", questions=20, k=8, srgen=True, seed=3, shift=0.3, benchmark="amc"),
    ]
    comparisons = compare_pairs([*pair, *other])
    raw = [comparison.differences["Avg"].p for comparison in comparisons]
    adjusted = [comparison.differences["Avg"].p_holm for comparison in comparisons]
    assert adjusted[int(np.argmin(raw))] == pytest.approx(2 * min(raw))
    assert "Holm" in text_table(comparisons)
    assert markdown_table(comparisons).count("\n| tiny-1B") == 2
    assert latex_table(comparisons).count(r"\\") >= 4


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"questions": 29, "k": 8}, "other questions"),
        ({"questions": 30, "k": 8, "questions_hash": "xyz"}, "other questions"),
        ({"questions": 30, "k": 4}, r"another K \(8 and 4\)"),
        ({"questions": 30, "k": 8, "grading_version": "2"}, r"another grading version \(1 and 2"),
    ],
)
def test_unlike_runs_are_refused_with_the_reason_or_compared_on_what_they_share(
    pair: list[Path], tmp_path: Path, options: dict[str, object], reason: str
) -> None:
    other = summarised(tmp_path / "other", srgen=True, seed=1, **options)
    with pytest.raises(SRGenError, match=reason):
        compare_pairs([pair[0], other])
    comparison = compare_pairs([pair[0], other], common=True)[0]
    assert comparison.base_classes.shape == (min(30, int(str(options["questions"]))), min(8, int(str(options["k"]))))
    assert "compared all the same" in "\n".join(comparison.notes)


def test_common_pairs_questions_by_what_was_asked_not_by_their_place(tmp_path: Path) -> None:
    runs = []
    for name, golds in (("a", {"q0": "1", "q1": "2", "q2": "3"}), ("b", {"q2": "3", "q1": "9", "q0": "1"})):
        samples = [sample(key, 0, "3", gold) for key, gold in golds.items()]
        runs.append(write_run(tmp_path / name, samples, golds, k=1, questions_hash=name))
        summarise(runs[-1], first_words)
    comparison = compare_pairs(runs, common=True)[0]
    assert comparison.question_ids == ("q0", "q2")
    assert comparison.base_classes.tolist() == comparison.other_classes.tolist() == [[1], [0]]


def test_nothing_in_common_is_refused(pair: list[Path], tmp_path: Path) -> None:
    other = summarised(tmp_path / "other", questions=30, k=8, benchmark="amc")
    with pytest.raises(SRGenError, match="no question in common"):
        compare_pairs([pair[0], other], common=True)


def test_one_sample_a_question_takes_mcnemar(tmp_path: Path) -> None:
    golds = {f"q{q}": "7" for q in range(10)}
    runs = []
    for name, right in (("a", 2), ("b", 8)):
        samples = [sample(f"q{q}", 0, "7" if q < right else "8", "7") for q in range(10)]
        runs.append(write_run(tmp_path / name, samples, golds, k=1))
        summarise(runs[-1], first_words)
    comparison = compare_pairs(runs)[0]
    assert comparison.differences["Avg"].p == pytest.approx(2 * 0.5**6)  # 6 gained, none lost
    assert comparison.differences["Avg"] == comparison.differences["Cons"] == comparison.differences["Pass"]
    assert math.isnan(comparison.power.samples_needed(0.6))
    assert "with one sample a question nobody can tell" in "\n".join(remarks(comparison))


def test_one_question_compares_with_a_wide_interval(tmp_path: Path) -> None:
    runs = []
    for name, answers in (("a", "78"), ("b", "77")):
        samples = [sample("q0", index, answer, "7") for index, answer in enumerate(answers)]
        runs.append(write_run(tmp_path / name, samples, {"q0": "7"}, k=2))
        summarise(runs[-1], first_words)
    comparison = compare_pairs(runs)[0]
    assert comparison.differences["Avg"].interval.low < -40
    assert comparison.differences["Avg"].interval.high > 90
    assert comparison.differences["Avg"].p == 1
    assert "cannot be judged" in "\n".join(remarks(comparison))


def test_missing_samples_stay_in_the_denominator_of_a_comparison(tmp_path: Path) -> None:
    golds = {"q0": "7", "q1": "7"}
    base = write_run(tmp_path / "a", [sample(q, i, "7", "7") for q in golds for i in range(2)], golds, k=2)
    other = write_run(tmp_path / "b", [sample("q0", i, "7", "7") for i in range(2)], golds, k=2, srgen=True)
    for run in (base, other):
        summarise(run, first_words)
    comparison = compare_pairs([base, other])[0]
    assert (comparison.differences["Avg"].base, comparison.differences["Avg"].other) == (100, 50)
    text = "\n".join(remarks(comparison))
    assert "SRGen: 2 missing; at most" in text
    assert text.count("stays in the denominator and counts as wrong") == 1
    assert "at most Avg@2 100.0" in text


def test_other_models_and_sampling_are_noted(pair: list[Path], tmp_path: Path) -> None:
    other = summarised(tmp_path / "hot", questions=30, k=8, temperature=0.9)
    assert any("the sampling differs" in note for note in compare_pairs([pair[0], other])[0].notes)
    assert not compared(pair).notes


def test_a_run_without_its_summary_is_summarised(tmp_path: Path) -> None:
    runs = [drawn_run(tmp_path / name, questions=3, k=2, seed=seed) for seed, name in enumerate("ab")]
    assert compare_pairs(runs)[0].samples == 2
    assert (runs[0] / "summary.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "nowhere"], "does not exist"),
        (["nowhere"], "takes a base and at least one other run"),
        ([".", "."], "is missing"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_damaged_csvs_are_named(pair: list[Path], tmp_path: Path) -> None:
    run = shutil.copytree(pair[0], tmp_path / "run")
    (run / "summary.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SRGenError, match="no column"):
        compare_pairs([run, pair[1]])
    shutil.copy(pair[0] / "summary.csv", run)
    text = (run / "questions.csv").read_text().splitlines(keepends=True)
    (run / "questions.csv").write_text("".join(text[:-1]))
    with pytest.raises(SRGenError, match="holds 29 questions"):
        compare_pairs([run, pair[1]])


def test_a_flip_is_a_change_of_the_votes_credit() -> None:
    assert [flip(0, 1), flip(0.5, 0), flip(1, 1)] == ["gained", "lost", "unchanged"]


def test_starting_needs_neither_torch_nor_matplotlib() -> None:
    code = "import sys, evaluators.compare; print({'torch', 'matplotlib', 'sympy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize(("gained", "lost"), [(5, 0), (6, 0), (0, 6), (7, 1), (8, 2), (0, 0)])
@pytest.mark.parametrize("k", [1, 4])
def test_no_output_sets_a_p_value_against_its_interval(tmp_path: Path, gained: int, lost: int, k: int) -> None:
    """One question of twelve changed in one sample: once `[-27.4, -2.4] p 1.000`."""
    golds = {f"q{q}": "7" for q in range(12)}
    runs = []
    for name, first in (("a", lost), ("b", gained)):
        right = set(range(gained, gained + lost)) if name == "a" else set(range(first))
        samples = [sample(f"q{q}", i, "7" if q in right and i == 0 else "8", "7") for q in range(12) for i in range(k)]
        runs.append(write_run(tmp_path / name, samples, golds, k=k))
        summarise(runs[-1], first_words)
    comparisons = compare_pairs(runs)
    expected = min(
        1.0, 2 * sum(math.comb(gained + lost, i) for i in range(min(gained, lost) + 1)) / 2 ** (gained + lost)
    )
    write_tables(comparisons, tmp_path)
    row = next(csv.DictReader((tmp_path / "comparison.csv").open()))
    texts = [
        text_table(comparisons),
        (tmp_path / "comparison.md").read_text(),
        (tmp_path / "comparison.tex").read_text(),
    ]
    for metric in ("avg", "pass"):
        assert float(row[f"{metric}@k_p"]) == pytest.approx(expected, abs=6e-5)
        assert (float(row[f"{metric}@k_p"]) <= 0.05) == (
            float(row[f"{metric}@k_low"]) > 0 or float(row[f"{metric}@k_high"]) < 0
        )
    for text in texts:
        pairs = re.findall(r"\[([-+.\d]+), ([-+.\d]+)\](?: p | \| | & )([.\d]+)", text)
        assert len(pairs) == 3
        for low, high, p in pairs:
            assert (float(p) <= 0.05) == (float(low) > 0 or float(high) < 0)


def test_rounding_never_moves_a_number_over_its_edge() -> None:
    assert [limit(x) for x in (0.04, -0.004, 0.0, 1.24)] == ["+0.04", "-0.004", "+0.0", "+1.2"]
    assert [p_value(x) for x in (0.0502, 0.04996, 0.05, 0.2, 0.0001)] == [
        "0.0502",
        "0.04996",
        "0.050",
        "0.200",
        "< 0.001",
    ]
    assert [plain_p(x) for x in (0.050004, 0.3)] == ["0.050004", "0.3000"]

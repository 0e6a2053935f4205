"""What a comparison says in words, what it says of the runs' configurations, and where a sequential one stops."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import yaml
from synthetic_runs import first_words, sample, write_run

from evaluators.analysis.configurations import configuration_notes
from evaluators.analysis.summary import summarise
from evaluators.compare import compare_pairs, main
from evaluators.presentation.comparison_remarks import remarks
from evaluators.presentation.verdict import verdict


def runs(folder: Path, base: list[int], other: list[int], k: int, missing: int = 0) -> list[Path]:
    """A base and an SRGen run with so many right samples of each question."""
    golds = {f"q{q}": "7" for q in range(len(base))}
    made = []
    for name, right in (("base", base), ("srgen", other)):
        samples = [sample(f"q{q}", i, "7" if i < right[q] else "8", "7") for i in range(k) for q in range(len(base))]
        kept = samples[: len(samples) - missing]
        made.append(write_run(folder / name, kept, golds, k=k, srgen=name == "srgen"))
        summarise(made[-1], first_words)
    return made


def said(pair: list[Path], equivalence: float | None = None) -> str:
    return verdict(compare_pairs(pair)[0], many=False, equivalence=equivalence)


def test_better_worse_and_not_settled(tmp_path: Path) -> None:
    low, high = [0] * 12, [2] * 8 + [0] * 4
    assert said(runs(tmp_path / "a", low, high, 4)) == "SRGen is better on these questions (p = 0.008)"
    assert said(runs(tmp_path / "b", high, low, 4)) == "SRGen is worse on these questions (p = 0.008)"
    open_ended = said(runs(tmp_path / "c", [2] * 12, [3, 2, 3, 2, 2, 1, 2, 3, 2, 2, 2, 2], 4))
    assert re.fullmatch(r"not settled: a difference of this size needs about K = \d+ here", open_ended)
    assert "even" in said(runs(tmp_path / "d", [2] * 12, [2] * 12, 4))
    assert said(runs(tmp_path / "e", [0] * 12, [0] * 12, 4)).startswith("not settled: no sample differs")


def test_equivalence_is_concluded_only_where_both_tests_reject(tmp_path: Path) -> None:
    alike = runs(tmp_path / "a", [5, 4] * 40, [4, 5] * 40, 8)
    assert "; the same within 5 points (p " in said(alike, 5)
    assert "; not shown to be the same within 1 points (p " in said(alike, 1)
    assert "not shown" in said(runs(tmp_path / "b", [0] * 12, [0] * 12, 4), 5)


def test_the_verdict_is_the_first_line_under_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = runs(tmp_path, [0] * 12, [2] * 8 + [0] * 4, 4)
    assert main([*map(str, pair), "--output_dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[6] == "SRGen is better on these questions (p = 0.008)"
    assert "- SRGen is better on these questions" in (tmp_path / "comparison.md").read_text()
    row = next(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert row["verdict"] == "SRGen is better on these questions (p = 0.008)"


def test_everything_that_differs_besides_the_method_is_listed(tmp_path: Path) -> None:
    pair = runs(tmp_path, [1] * 4, [2] * 4, 2)
    assert configuration_notes(*pair) == []
    for run, version, gpu, dtype in zip(pair, ("0.9", "0.10"), ("A100", "H100"), ("bfloat16", "float16"), strict=True):
        config = yaml.safe_load((run / "config.yaml").read_text())
        config |= {"versions": {"torch": "2.13.0", "vllm": version}, "hardware": {"gpus": [gpu], "cpu_cores": 4}}
        config["run"]["model"]["dtype"] = dtype
        config["git_commit"] = f"commit {gpu}"
        config["run"]["data"]["system_prompt"] = f"Solve it ({dtype})."
        config["run"]["execution"]["tensor_parallel"] = 1 if gpu == "A100" else 2
        (run / "config.yaml").write_text(yaml.safe_dump(config))
    notes = "\n".join(remarks(compare_pairs(pair)[0]))
    assert "the version of vllm differs: 0.9 and 0.10" in notes
    assert "the hardware (gpus) differs: ['A100'] and ['H100']" in notes
    assert "the commit of this project differs: commit A100 and commit H100" in notes
    assert "dtype differs: bfloat16 and float16" in notes
    assert "system_prompt differs" in notes
    assert "tensor_parallel differs: 1 and 2" in notes
    assert "torch" not in notes
    assert "cpu_cores" not in notes


def test_a_folder_without_its_configuration_is_named(tmp_path: Path) -> None:
    pair = runs(tmp_path, [1] * 4, [2] * 4, 2)
    (pair[1] / "config.yaml").unlink()
    assert configuration_notes(*pair)[0].endswith(f"there is no config.yaml in {pair[1]}")


def test_of_several_pairs_each_is_named_and_holm_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, better = runs(tmp_path / "a", [0] * 12, [1] * 6 + [0] * 6, 4)  # p = 2 / 2^6 alone, twice that by Holm
    _, other = runs(tmp_path / "b", [0] * 12, [1] * 6 + [0] * 6, 4)
    assert verdict(compare_pairs([base, better])[0], many=False).startswith("SRGen is better")
    assert main([str(base), str(better), str(other), "--output_dir", str(tmp_path)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("tiny-1B, aime-2024, srgen: ")]
    assert len(lines) == 2
    assert all("not settled" in line for line in lines)


def test_too_few_questions_are_never_told_to_take_more_samples(tmp_path: Path) -> None:
    """With five questions the sign-flip test gives at least 2 / 2^5, whatever K."""
    text = verdict(compare_pairs(runs(tmp_path, [0] * 5, [4] * 5, 4))[0], many=False)
    assert text == "not settled: fewer than 6 questions never settle a comparison, whatever K"


def test_a_sequential_comparison_stops_at_the_round_that_settles_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = runs(tmp_path, [0] * 30, [8] * 12 + [0] * 18, 8)
    assert main([*map(str, pair), "--sequential", "--output_dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "Avg@2" in out
    assert "SRGen is better on these questions" in out
    assert "sequential: settled after round 2 of 8 complete ones" in out
    row = next(csv.DictReader((tmp_path / "comparison.csv").open()))
    assert float(row["avg@k_low"]) > 0
    assert float(row["avg@k_p"]) <= 0.05
    assert row["cons@k_low"] == row["cons@k_p"] == ""


def test_samples_outside_complete_rounds_do_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = runs(tmp_path, [0] * 30, [8] * 12 + [0] * 18, 8, missing=8 * 30 - 45)
    assert main([*map(str, pair), "--sequential", "--output_dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "not settled after round 1 of 1 complete ones" in out
    assert "not settled after 1 rounds" in out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--smallest_effect", "5"], "--smallest_effect goes with --sequential"),
        (["--sequential", "--equivalence", "5"], "with --sequential, give --smallest_effect"),
        (["--equivalence", "lots"], "lots is not a number of points"),
        (["--equivalence", "0"], "0 is not a number of points"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), str(tmp_path), *options]) == 2
    assert told in capsys.readouterr().err

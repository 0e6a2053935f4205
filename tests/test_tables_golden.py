"""CSV files by pandas: the text that the commit `before-layout` wrote, and that Python's csv module would write."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.analysis.loading import load_summary
from evaluators.analysis.summary import summarise
from evaluators.analysis.summary_rows import (
    QUESTION_COLUMNS,
    Summary,
    cell_text,
    quoted,
    read_summary,
    summary_table,
    to_csv,
    unquoted,
)
from evaluators.compare import main as compare
from srgen.errors import SRGenError

BEFORE = Path(__file__).parent / "before_layout"
"""Two runs of mini with the embedded model, as the commit before pandas wrote them, and their comparison today."""


@pytest.mark.parametrize("run", ["base", "srgen"])
def test_a_runs_tables_are_the_same_text_as_before(tmp_path: Path, run: str) -> None:
    shutil.copytree(BEFORE / run, tmp_path / run)
    for name in ("questions.csv", "summary.csv"):
        (tmp_path / run / name).unlink()
    summarise(tmp_path / run)
    for name in ("questions.csv", "summary.csv"):
        now, before = (_without_hash((folder / run / name).read_text()) for folder in (tmp_path, BEFORE))
        assert _without_intervals(now) == _without_intervals(before)


def _without_hash(text: str) -> str:
    """A table without the columns that came later: the hash, and who decided."""
    lines = text.split("\n")
    later = lines[0].partition(",journal_hash")[2].count(",") + 1 if ",journal_hash" in lines[0] else 0
    return "\n".join(line.rsplit(",", later)[0] if later else line for line in lines)


def _without_intervals(text: str) -> list[list[str]]:
    """The cells of a table but for the ends of intervals, which later come by other tests."""
    lines = [line.split(",") for line in text.split("\n") if line]
    kept = [place for place, name in enumerate(lines[0]) if not name.endswith(("_low", "_high"))]
    assert len({len(line) for line in lines}) == 1
    return [[line[place] for place in kept] for line in lines]


def test_a_comparison_is_the_same_text_as_before(tmp_path: Path) -> None:
    assert compare([str(BEFORE / "base"), str(BEFORE / "srgen"), "--output_dir", str(tmp_path)]) == 0
    for name in ("comparison.csv", "comparison.md", "comparison.tex"):
        assert (tmp_path / name).read_bytes() == (BEFORE / "comparison" / name).read_bytes()


texts = st.text(st.characters(exclude_characters="\0"), max_size=12).map(cell_text)
answers = st.one_of(
    texts,
    st.sampled_from(
        [
            "=1+1",
            "-\\frac12",
            "'@x",
            "",
            "\r\n",
            "NA",
            "nan",
            "None",
            "007",
            "1e5",
            "-0.50",
            " 7 ",
            'a,"b"\n',
            "#",
            "\ufeff7",
        ]
    ),
)
rates = st.one_of(st.floats(0, 100), st.just(math.nan))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(answers, answers, rates), min_size=1, max_size=4), st.integers(0, 2**62), rates)
def test_csv_is_what_pythons_module_writes_and_reads_back_as_itself(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str, float]], seed: int, rate: float
) -> None:
    import pandas as pd

    summary = dataclasses.replace(read_summary(BEFORE / "base"), k=2, questions=len(cells), seed=seed, avg=rate)
    rows = [
        dict.fromkeys(QUESTION_COLUMNS, 3)
        | {"question_id": f"q{index}{identity}", "gold": answer, "question_hash": "0e1"}
        | {"voted_answer": answer, "avg@k": value, "cons@k": value, "pass@k": 1 / 3, "classes": "0 -"}
        for index, (identity, answer, value) in enumerate(cells)
    ]
    table = pd.DataFrame(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(QUESTION_COLUMNS)
    for row in rows:
        writer.writerow(["" if v != v else f"{v:.1f}" if isinstance(v, float) else _cell(v) for v in row.values()])  # noqa: PLR0124
    assert to_csv(table) == text.getvalue()

    folder = tmp_path_factory.mktemp("csv")
    (folder / "questions.csv").write_text(to_csv(table), encoding="utf-8", newline="")
    (folder / "summary.csv").write_text(to_csv(summary_table(summary)), encoding="utf-8", newline="")
    read = read_summary(folder)
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    for name in ("question_id", "gold", "question_hash", "voted_answer", "classes"):
        stored = [row[name] for row in expected]
        assert read.by_question[name].tolist() == [text if name == "classes" else unquoted(text) for text in stored]
    assert (read.seed, read.k, read.questions_hash) == (seed, 2, summary.questions_hash)
    np.testing.assert_array_equal(read.by_question["avg@k"], [round_trip(row["avg@k"]) for row in rows])
    assert to_csv(read.by_question) == to_csv(table)


def _cell(value: object) -> object:
    return quoted(value) if isinstance(value, str) else value


def test_what_a_spreadsheet_would_run_is_text(tmp_path: Path) -> None:
    for text in ("=HYPERLINK(0)", "+cmd", "-x", "@SUM(1)", "'=1", "\t=1"):
        assert quoted(text) == "'" + text
        assert unquoted(quoted(text)) == text
    for text in ("-7", "+3.5", "'", "", "x = 1", "'x"):
        assert quoted(text) == unquoted(text) == text


def round_trip(value: float) -> float:
    return value if math.isnan(value) else float(f"{value:.1f}")


def test_values_read_are_plain_numbers_of_their_field(tmp_path: Path) -> None:
    summary = load_summary(BEFORE / "srgen")
    for column in dataclasses.fields(Summary):
        if column.name not in ("by_question", "choices", "tags", "curves"):
            assert type(getattr(summary, column.name)).__name__ == column.type


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace(",3,", ",three,", 1), "is damaged"),
        (lambda text: text.rsplit(",", 1)[0] + "\n", "classes"),
        (lambda text: "", "is damaged"),
        (lambda text: text.replace("voted_answer", "voted"), "no column 'voted_answer'"),
        (lambda text: text + 'q9,"never closed', "is damaged"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, change, message: str) -> None:  # type: ignore[no-untyped-def]
    shutil.copytree(BEFORE / "base", tmp_path / "run")
    path = tmp_path / "run" / "questions.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(SRGenError, match=message):
        read_summary(tmp_path / "run")


@pytest.mark.parametrize(
    "code",
    [
        "from evaluators.aime import BENCHMARK; from evaluators.cli import main; main(BENCHMARK, ['--help'])",
        "from evaluators.compare import main; main(['--help'])",
        "import evaluators.running.run, evaluators.running.local_fleet, srgen.engines.transformers.engine",
    ],
    ids=["help", "compare", "worker"],
)
def test_help_and_workers_do_without_pandas(code: str) -> None:
    code = f"import atexit, sys; atexit.register(lambda: print('pandas' in sys.modules)); {code}"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split()[-1] == "False"

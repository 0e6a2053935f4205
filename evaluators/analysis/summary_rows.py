"""The tables of a run, questions.csv (one row per question) and summary.csv (one row): read and written by pandas."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluators.analysis.metrics import SILENT, IntArray
from evaluators.records.schema import CHOOSERS_CSV, QUESTIONS_CSV, SUMMARY_CSV, Reader
from srgen.errors import SRGenError

if TYPE_CHECKING:
    from pandas import DataFrame  # imported where it is used: it takes half a second

Column = Callable[[str], Any]


def _rate(text: str) -> float:
    return float(text) if text else math.nan


def quoted(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would run it; a number is left as it is."""
    return "'" + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unquoted(text: str) -> str:
    """The text that `quoted` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[\d.]+")

QUESTION_COLUMNS: Mapping[str, Column] = {
    "question_id": unquoted,
    "gold": unquoted,
    "question_hash": str,  # of prompt, gold answer and kind: equal where two runs asked the same
    "samples": int,  # planned, K; those that are missing included
    "correct": int,
    "avg@k": _rate,  # rates are percentages
    "voted_answer": unquoted,  # the answer with most votes, or those that tie; empty without any vote
    "votes": int,
    "cons@k": _rate,
    "pass@k": _rate,
    "unanswered": int,
    "truncated": int,
    "timed_out": int,
    "failed": int,
    "missing": int,
    "open": int,  # not right, and unanswered, truncated, timed out, failed or missing: what an upper bound adds
    "tokens": int,
    "reflections": int,
    "classes": str,  # one per sample: 0 right, 1, 2, ... wrong, - none; separated by spaces
}
"""The columns of questions.csv, and how a cell's text is read."""

TAG_PARTS = ("think", "refine", "answer")
TAG_COUNTS: Mapping[str, Column] = {"well_formed": int, "refined": int, "refined_correct": int, "refines": int}
"""Further columns of questions.csv where answers are in tags: samples that are well-formed, that refine, that refine
and are right; refine passages."""
TAG_COLUMNS = (
    "well_formed",
    "refined",
    "refines_per_sample",
    *(f"{part}_tokens_per_sample" for part in TAG_PARTS),
    "refine_questions",
    "avg_with_refine",
    "avg_without_refine",
    "refine_difference",
    "refine_difference_low",
    "refine_difference_high",
    "refine_p",
)
"""The same of summary.csv: shares and rates are percentages, differences points; see `evaluators.analysis.tagged`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The row of summary.csv. Rates, their errors and bounds are percentages."""

    benchmark: str
    model: str
    method: str
    questions: int
    k: int
    avg: float
    avg_low: float
    avg_high: float
    se_new_questions: float
    se_same_questions: float
    cons: float
    cons_low: float
    cons_high: float
    pass_: float
    pass_low: float
    pass_high: float
    samples: int
    """Planned, questions times K."""
    answered: int
    unanswered: int
    truncated: int
    timed_out: int
    failed: int
    missing: int
    avg_upper_bound: float
    """If every sample that was left open had been right."""
    cons_upper_bound: float
    pass_upper_bound: float
    tokens: int
    tokens_per_sample: float
    reflections_per_sample: float
    samples_per_hour: float
    wall_seconds: float
    accuracy_per_million_tokens: float
    """Avg@K in points for each million generated tokens."""
    questions_hash: str
    grading_version: str
    seed: int
    sampling: str
    journal_hash: str = ""
    """Of the samples.jsonl that it was made from; empty in files of before it was written."""
    read_exactly: int = 0
    """Verdicts of the grader's exact reader; 0 in runs of before, whose samples do not name it."""
    read_symbolically: int = 0
    read_by_neither: int = 0
    by_question: DataFrame = field(repr=False, compare=False)
    """questions.csv as a table, columns as in `QUESTION_COLUMNS`."""
    choices: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)
    """What other choosers than the majority would have given, by column (evaluators.analysis.choices.columns); empty
    for a run that was summarised before there were any."""
    tags: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)
    """What answers in tags add, by column (`TAG_COLUMNS`); empty for a run without them."""
    curves: DataFrame | None = field(default=None, repr=False, compare=False)
    """choosers.csv as a table; None where there is no such file."""


READERS: Mapping[str, Reader] = {"read_exactly": "exact", "read_symbolically": "symbolic", "read_by_neither": "neither"}
"""The columns that count verdicts by the reader that gave them."""
COUNTS = ("unanswered", "truncated", "timed_out", "failed", "missing")

_DIGITS = {
    "accuracy_per_million_tokens": 3,
    "reflections_per_sample": 2,
    "se_new_questions": 2,
    "se_same_questions": 2,
    "refines_per_sample": 2,
    "refine_questions": 0,
    "refine_p": 4,
}
_TABLES = ("by_question", "choices", "tags", "curves")
"""Fields that are not a column of summary.csv each."""
_READ: Mapping[str, Column] = {"str": unquoted, "int": int, "float": _rate}


def summary_table(summary: Summary) -> DataFrame:
    """The one row of summary.csv."""
    import pandas as pd

    further = dict(summary.choices) | dict(summary.tags)
    return pd.DataFrame([{header(name): getattr(summary, name) for name in _fields()} | further])


def cell_text(text: str) -> str:
    """Text as a cell can hold it: half a surrogate pair and a lone carriage return become their escapes."""
    return re.sub(r"\r(?!\n)", r"\\r", text).encode(errors="backslashreplace").decode()


def to_csv(table: DataFrame, digits: Mapping[str, int] = _DIGITS) -> str:
    """The table as CSV: `digits` decimals for a column of floats (one where it names none), empty where undefined."""
    shown = {
        name: table[name].map(f"{{:.{digits.get(str(name), 1)}f}}".format, na_action="ignore")
        for name in table.select_dtypes("float")
    }
    words = {
        name: table[name].map(lambda cell: quoted(cell) if isinstance(cell, str) else cell)
        for name in table.select_dtypes(("object", "str"))
        if name != "classes"  # read by machines, which have known it as it is
    }
    return str(table.assign(**shown, **words).to_csv(index=False, lineterminator="\n"))


def read_summary(path: Path) -> Summary:
    """The summary of a run from its directory or its summary.csv, with its questions from the file beside it.

    Raises SRGenError where a file is missing or not of this form.
    """
    summary_csv = path / SUMMARY_CSV if path.is_dir() else path
    questions_csv = summary_csv.with_name(QUESTIONS_CSV)
    for file in (summary_csv, questions_csv):
        if not file.is_file():
            raise SRGenError(f"{file} is missing: runs are paired by question, so both CSV files of a run are needed")
    columns = {header(name): _READ[kind] for name, kind in _fields().items()}
    table = _read(summary_csv, columns)
    if len(table) != 1:
        raise SRGenError(f"{summary_csv} must hold one run, not {len(table)}")
    row = table.to_dict("records")[0]
    summary = {name: row[header(name)] for name in _fields() if header(name) in row}
    questions = _read(questions_csv, {**QUESTION_COLUMNS, **TAG_COUNTS})
    if len(questions) != summary["questions"]:
        raise SRGenError(
            f"{questions_csv} holds {len(questions)} questions, but the summary beside it {summary['questions']}"
        )
    unlike = questions["classes"].str.split().str.len() != summary["k"]
    if unlike.any():
        name = questions["question_id"][unlike].iloc[0]
        raise SRGenError(f"{questions_csv} does not hold {summary['k']} classes for question {name}")
    further = _read_further(summary_csv)
    return Summary(
        **summary,
        by_question=questions,
        choices={name: value for name, value in further.items() if name not in TAG_COLUMNS},
        tags={name: value for name, value in further.items() if name in TAG_COLUMNS},
        curves=_read_curves(summary_csv.with_name(CHOOSERS_CSV)),
    )


def _read_further(path: Path) -> dict[str, float]:
    """The columns after those that every run has."""
    import pandas as pd

    table = pd.read_csv(path, index_col=False)
    known = [header(name) for name in _fields()]
    return {str(name): float(table[name].iloc[0]) for name in table.columns if name not in known}


def _read_curves(path: Path) -> DataFrame | None:
    import pandas as pd

    return pd.read_csv(path) if path.is_file() else None


def classes_of(table: DataFrame, column: str = "classes") -> IntArray:
    """Outcomes [Q, K] as `evaluators.analysis.metrics` takes them."""
    return np.array([[SILENT if group == "-" else int(group) for group in row.split()] for row in table[column]])


def _read(path: Path, columns: Mapping[str, Column]) -> DataFrame:
    import pandas as pd

    try:
        found = pd.read_csv(path, nrows=0, index_col=False).columns
        unlike = sorted(set(columns) - set(found) - {"journal_hash", *READERS, *TAG_COUNTS})
        if unlike:
            raise SRGenError(f"{path} is not a file of this version: it has no column {unlike[0]!r}")
        present = {name: column for name, column in columns.items() if name in found}
        return pd.read_csv(path, converters=present, usecols=list(present), index_col=False, na_filter=False)
    except ValueError as error:  # pandas' own errors are of this kind
        raise SRGenError(f"{path} is damaged: {error}") from None


def _fields() -> dict[str, str]:
    """The columns of summary.csv by the field that holds them, with its type."""
    return {field.name: str(field.type) for field in dataclasses.fields(Summary) if field.name not in _TABLES}


def header(name: str) -> str:
    """A field's name in a CSV: `avg` is `avg@k`, `pass_low` is `pass@k_low`."""
    for rate in ("avg", "cons", "pass"):
        if name.rstrip("_") == rate:
            return f"{rate}@k"
        if name.startswith(rate + "_") and name.endswith(("_low", "_high", "_bound")):
            return f"{rate}@k_{name.removeprefix(rate + '_')}"
    return name

"""The rows of questions.csv and summary.csv, declared once, and the way to and from the files."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from evaluators.analysis.metrics import SILENT, IntArray
from evaluators.records.schema import QUESTIONS_CSV, SUMMARY_CSV
from srgen.errors import SRGenError


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow:
    """A row of questions.csv. Rates are percentages; the counts are of samples."""

    question_id: str
    gold: str
    question_hash: str
    """Of prompt, gold answer and kind: equal where two runs asked the same."""
    samples: int
    """Planned, K; those that are missing included."""
    correct: int
    avg: float
    voted_answer: str
    """The answer with most votes, or those that tie; empty without any vote."""
    votes: int
    cons: float
    pass_: float
    unanswered: int
    truncated: int
    timed_out: int
    failed: int
    missing: int
    open: int
    """Samples not right that are unanswered, truncated, timed out, failed or missing: what an upper bound adds."""
    tokens: int
    reflections: int
    classes: str
    """One class per sample: 0 right, 1, 2, ... wrong, - none; separated by spaces."""


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
    rows: tuple[QuestionRow, ...] = field(default=(), repr=False)


COUNTS = ("unanswered", "truncated", "timed_out", "failed", "missing")


Row = TypeVar("Row", QuestionRow, Summary)

_FORMATS = {"accuracy_per_million_tokens": ".3f", "reflections_per_sample": ".2f"}
_FORMATS |= {"se_new_questions": ".2f", "se_same_questions": ".2f"}


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV: rates with one decimal, empty where undefined."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = _columns(type(rows[0]))
    writer.writerow([header(name) for name in names])
    writer.writerows([_cell(name, getattr(row, name)) for name in names] for row in rows)
    return text.getvalue()


def read_summary(path: Path) -> Summary:
    """The summary of a run from its directory or its summary.csv, with its questions from the file beside it.

    Raises SRGenError where a file is missing or not of this form.
    """
    summary_csv = path / SUMMARY_CSV if path.is_dir() else path
    questions_csv = summary_csv.with_name(QUESTIONS_CSV)
    for file in (summary_csv, questions_csv):
        if not file.is_file():
            raise SRGenError(f"{file} is missing: runs are paired by question, so both CSV files of a run are needed")
    summaries = _from_csv(summary_csv, Summary)
    if len(summaries) != 1:
        raise SRGenError(f"{summary_csv} must hold one run, not {len(summaries)}")
    rows = _from_csv(questions_csv, QuestionRow)
    if len(rows) != summaries[0].questions:
        raise SRGenError(
            f"{questions_csv} holds {len(rows)} questions, but the summary beside it {summaries[0].questions}"
        )
    for row in rows:
        if len(row.classes.split()) != summaries[0].k:
            raise SRGenError(f"{questions_csv} does not hold {summaries[0].k} classes for question {row.question_id}")
    return dataclasses.replace(summaries[0], rows=tuple(rows))


def classes_of(rows: Sequence[QuestionRow]) -> IntArray:
    """Outcomes [Q, K] as `evaluators.analysis.metrics` takes them."""
    return np.array([[SILENT if group == "-" else int(group) for group in row.classes.split()] for row in rows])


def _from_csv(path: Path, kind: type[Row]) -> list[Row]:
    types = {field.name: str(field.type) for field in dataclasses.fields(kind)}
    names = _columns(kind)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        unlike = sorted({header(name) for name in names} - set(reader.fieldnames or ()))
        if unlike:
            raise SRGenError(f"{path} is not a file of this version: it has no column {unlike[0]!r}")
        try:
            return [kind(**{name: _value(row[header(name)], types[name]) for name in names}) for row in reader]
        except (TypeError, ValueError) as error:
            raise SRGenError(f"{path} is damaged: {error}") from None


def _columns(kind: type[QuestionRow] | type[Summary]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.name != "rows"]


def _cell(name: str, value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else format(value, _FORMATS.get(name, ".1f"))
    return str(value)


def _value(text: str, kind: str) -> Any:
    if kind == "float":
        return float(text) if text else math.nan
    return int(text) if kind == "int" else text


def header(name: str) -> str:
    """A field's name in a CSV: `avg` is `avg@k`, `pass_low` is `pass@k_low`."""
    for rate in ("avg", "cons", "pass"):
        if name.rstrip("_") == rate:
            return f"{rate}@k"
        if name.startswith(rate + "_") and name.endswith(("_low", "_high", "_bound")):
            return f"{rate}@k_{name.removeprefix(rate + '_')}"
    return name

"""The verdict on one response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evaluators.benchmarks.benchmark import AnswerFormat, AnswerKind
from evaluators.grading.algebra.clean import clean
from evaluators.grading.answer.extract import extract, extract_from_tags
from evaluators.grading.equivalence import SecondReader, compare, meets_decimal

Reader = Literal["exact", "symbolic", "neither"]
"""Which reader decided; where neither could, the answer counts as wrong."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the grader says of a response; `timeout` is a grader that was stopped, and counts as wrong."""

    status: Literal["correct", "incorrect", "no_answer", "timeout"]
    answer: str | None
    reader: Reader | None = None


def grade(
    response: str,
    gold: str,
    kind: AnswerKind,
    finish_reason: str | None = None,
    second: SecondReader | None = None,
    *,
    answer_format: AnswerFormat = "free",
) -> Verdict:
    """Extract the answer of a response and compare it with the gold, which is an answer and never searched for one.

    `second` is asked where the exact reader cannot decide; without it such an answer is incorrect, by neither reader.
    """
    tagged = answer_format == "tags"
    answer = extract_from_tags(response, kind) if tagged else extract(response, kind, finish_reason)
    if answer is None:
        return Verdict("no_answer", None)
    decision = compare(gold, answer, kind)
    if decision == "equal" or meets_decimal(gold, answer, kind):
        return Verdict("correct", answer, "exact")
    if decision == "different":
        return Verdict("incorrect", answer, "exact")
    found = None if second is None else second(clean(gold), clean(answer))
    return Verdict("correct" if found else "incorrect", answer, "neither" if found is None else "symbolic")

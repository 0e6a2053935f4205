"""The verdict on one response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.answer.extract import extract
from evaluators.grading.equivalence import equivalent, meets_decimal


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the grader says of a response; `timeout` is a grader that was stopped, and counts as wrong."""

    status: Literal["correct", "incorrect", "no_answer", "timeout"]
    answer: str | None


def grade(response: str, gold: str, kind: AnswerKind, finish_reason: str | None = None) -> Verdict:
    """Extract the answer of a response and compare it with the gold, which is an answer and never searched for one."""
    answer = extract(response, kind, finish_reason)
    if answer is None:
        return Verdict("no_answer", None)
    right = equivalent(gold, answer, kind) or meets_decimal(gold, answer, kind)
    return Verdict("correct" if right else "incorrect", answer)

"""What came out, in two sentences at most."""

from __future__ import annotations

from evaluators.analysis.comparison import Comparison
from evaluators.analysis.summary_rows import Summary
from evaluators.presentation.run_table import number, signed
from evaluators.presentation.verdict import verdict


def verdict_sentence(comparison: Comparison, names: tuple[str, str], *, many: bool) -> str:
    """What `compare` says of the two, and how often each is right."""
    difference = comparison.differences["Avg"]
    said = verdict(comparison, many=many)
    rates = f"{number(difference.other)} % of the samples, {names[0]} on {number(difference.base)} %"
    return f"{said[0].upper()}{said[1:]}. {names[1]} is right on {rates}."


def so_far_sentence(questions: int, planned: int, delta: float, names: tuple[str, str]) -> str:
    """The same before both runs are complete."""
    base, other = names
    points = signed(delta).replace("-", "\N{MINUS SIGN}")
    return f"So far, on {questions} of {planned} questions, {other} stands {points} points from {base}."


def rate_sentence(summary: Summary) -> str:
    """What a single run reached."""
    return (
        f"{number(summary.avg)} % of the samples are right on the {summary.questions} questions of {summary.benchmark}."
    )

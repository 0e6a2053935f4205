"""Two runs at the same cost: the one whose samples cost less is given more of those that it has.

It answers whether a method beats simply sampling more. Cons@k and Pass@k are their expectations over all subsets of k
of the samples recorded, so that no sample is chosen by its place.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evaluators.analysis import metrics
from evaluators.analysis.comparison import (
    Basis,
    Comparison,
    Difference,
    EqualCost,
    Metric,
    Side,
    difference_of,
    holm_adjusted,
    shared_questions,
)
from evaluators.analysis.inference import Interval
from evaluators.analysis.metrics import FloatArray, IntArray
from evaluators.analysis.summary_rows import classes_of
from srgen.errors import SRGenError

if TYPE_CHECKING:
    from pandas import DataFrame  # imported where it is used: it takes half a second

BASES: tuple[Basis, ...] = ("equal-tokens", "equal-samples")
_CURVES: dict[Metric, Callable[[IntArray], FloatArray]] = {"Cons": metrics.cons_curve, "Pass": metrics.pass_curve}


def at_equal_cost(comparison: Comparison, basis: Basis) -> EqualCost:
    """The runs of a comparison at equal tokens, or equal samples, a question.

    Without intervals and p-values where sampling was stopped by looking at the runs, since tests at a fixed k do not
    hold there. Raises SRGenError where nobody knows the tokens.
    """
    shared = shared_questions(comparison.base, comparison.other)
    classes = classes_of(shared, "classes_base"), classes_of(shared, "classes_other")
    costs = _tokens_per_sample(shared, "_base"), _tokens_per_sample(shared, "_other")
    if basis == "equal-tokens" and not min(costs) > 0:
        raise SRGenError("equal tokens cannot be told: a run has no generated tokens in its table (see equal-samples)")
    units = costs if basis == "equal-tokens" else (1.0, 1.0)
    budget = min(unit * side.shape[1] for unit, side in zip(units, classes, strict=True))
    base, other = (
        # A hair more than the budget, so that rounding takes no sample from the run that sets it.
        Side(max(1, math.floor(budget / unit + 1e-9)), cost, side)
        for unit, cost, side in zip(units, costs, classes, strict=True)
    )
    differences = {
        metric: difference_of(curve(base.classes)[:, base.samples - 1], curve(other.classes)[:, other.samples - 1])
        for metric, curve in _CURVES.items()
    }
    if comparison.decision:
        differences = {metric: _untested(difference) for metric, difference in differences.items()}
    return EqualCost(basis, base, other, differences)


def with_equal_cost(comparisons: Sequence[Comparison], basis: Basis) -> list[Comparison]:
    """The comparisons with what they are at equal cost; p-values are adjusted over all of them."""
    found = [at_equal_cost(comparison, basis) for comparison in comparisons]
    adjusted = holm_adjusted([at.differences for at in found])
    return [
        dataclasses.replace(comparison, at=dataclasses.replace(at, differences=differences))
        for comparison, at, differences in zip(comparisons, found, adjusted, strict=True)
    ]


def _tokens_per_sample(shared: DataFrame, side: str) -> float:
    made = shared[f"samples{side}"].sum() - shared[f"missing{side}"].sum()
    return float(shared[f"tokens{side}"].sum() / made) if made else math.nan


def _untested(difference: Difference) -> Difference:
    return dataclasses.replace(difference, interval=Interval(math.nan, math.nan), p=math.nan, p_holm=math.nan)

"""Rates of choosers where every run may generate equally many tokens for a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

MAJORITY = "majority"
"""The chooser that takes all of a run's samples."""


def common_budget(curves: Sequence[DataFrame]) -> float:
    """Tokens a question that every run has at all of its samples; 0 where some run's are not known.

    curves: choosers.csv of each run (evaluators.analysis.choices.curves_table).
    """
    return min((float(table.loc[table["chooser"] == MAJORITY, "tokens"].max()) for table in curves), default=0.0)


def rates_within(curves: DataFrame, budget: float) -> dict[str, float]:
    """Each chooser's rate, percent, at `budget` tokens a question; between two subset sizes, in proportion.

    A chooser that never takes as many tokens has the rate of its largest size; one that always takes more is left out.
    """
    rates = {}
    for name, curve in curves.groupby("chooser", sort=False):
        points = curve.sort_values("k")
        # An expectation over subsets of a finite sample may dip by rounding.
        tokens = np.maximum.accumulate(points["tokens"].to_numpy(dtype=float))
        if tokens[0] <= budget * (1 + 1e-6):
            rates[str(name)] = float(np.interp(budget, tokens, points["rate"].to_numpy(dtype=float)))
    return rates

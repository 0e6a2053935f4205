"""Intervals of a mean of bounded values: the questions and one imaginary question, weighted at random.

P(sum D_q x_q + D_0 b <= m) under uniform Dirichlet weights is the p-value of a mean of at most m, where b is the lowest
value possible; with the highest, its complement is that of a mean of at least m (Gaffke 2005; Learned-Miller and Thomas
2019, arXiv 1905.06208). For values 0 and 1 this is the Clopper-Pearson interval.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize.elementwise import find_root

from evaluators.analysis.gamma_sums import probability_not_positive
from evaluators.analysis.inference import LEVEL, Interval
from evaluators.analysis.metrics import BoolArray, FloatArray, IntArray

TAIL = (1 - LEVEL) / 2

Rows = IntArray
Rising = Callable[[FloatArray, Rows], FloatArray]
"""A function of one number for each of the given rows."""


def mean_interval(values: FloatArray) -> Interval:
    """Interval of a run's mean [Q] over new questions of the same kind; each value lies in [0, 1]."""
    low, high = mean_intervals(values[None, :])
    return Interval(float(low[0]), float(high[0]))


def mean_intervals(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends [R] for the mean of every row of values in [0, 1] [R, Q]."""
    distinct, counts = value_counts(values)
    lowest, highest, mean = np.zeros(len(values)), np.ones(len(values)), values.mean(axis=1)
    low = root(lambda x, rows: weighted_tail(distinct, counts[rows], x, lowest[rows]) - TAIL, lowest, mean)
    high = root(lambda x, rows: TAIL - weighted_tail(-distinct, counts[rows], -x, -highest[rows]), mean, highest)
    return low, high


def mean_covers(values: FloatArray, truth: float) -> BoolArray:
    """Whether the interval of every row's mean [R, Q] holds `truth`, without computing it [R]."""
    distinct, counts = value_counts(values)
    at, one = np.full(len(values), truth), np.ones(len(values))
    below = weighted_tail(distinct, counts, at, 0 * one)
    above = weighted_tail(-distinct, counts, -at, -one)
    return np.asarray((below >= TAIL) & (above >= TAIL))


def value_counts(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The values that occur in any row [V], and how often each does in each row [R, V]."""
    values, position = np.unique(np.round(rows, 12), return_inverse=True)
    cells = position.reshape(rows.shape) + len(values) * np.arange(len(rows))[:, None]
    counts = np.bincount(cells.ravel(), minlength=len(values) * len(rows))
    return values, counts.reshape(len(rows), -1).astype(np.float64)


def weighted_tail(values: FloatArray, counts: FloatArray, shift: FloatArray, imaginary: FloatArray) -> FloatArray:
    """P(mean <= shift) under Dirichlet weights of the questions and one imaginary question [R]."""
    scales = np.concatenate([values[None, :] - shift[:, None], (imaginary - shift)[:, None]], axis=1)
    return probability_not_positive(scales, np.concatenate([counts, np.ones((len(counts), 1))], axis=1))


def root(rising: Rising, low: FloatArray, high: FloatArray) -> FloatArray:
    """Where a function rises through 0 between `low` and `high` [R]; the end nearer to a root, if it does not."""
    every = np.arange(len(low))
    at_low, at_high = rising(low, every), rising(high, every)
    crosses = (at_low < 0) & (at_high > 0) & (low < high)
    result = np.where(at_low >= 0, low, high)
    rows = np.flatnonzero(crosses)
    if len(rows):
        result[rows] = find_root(rising, (low[rows], high[rows]), args=(rows,)).x
    return result

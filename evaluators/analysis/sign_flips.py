"""The exact sign-flip (randomisation) test of paired differences: every sign counted, none drawn."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from evaluators.analysis.metrics import FloatArray, IntArray

_WORK = 400_000_000
"""Additions that a test may cost; beyond it the differences are rounded to a coarser lattice."""
_LATTICES = (5040, 840, 420, 60, 12)


def sign_flip_tails(differences: FloatArray) -> FloatArray:
    """One-sided p-values of the mean of every row of differences [R, Q], in the direction of that mean [R].

    P(sum of +-|d_q| >= |sum of d_q|) with all signs equally likely; 1 where the sum is 0 and no difference is. Where
    each difference is -1, 0 or 1 this is the exact McNemar test (the conditional binomial test).
    """
    steps, slack = _lattice(differences)
    sizes, observed = np.abs(steps), np.abs(steps.sum(axis=1))
    patterns, row = np.unique(np.sort(sizes, axis=1)[:, ::-1], axis=0, return_inverse=True)
    tails = _upper_tails(patterns)
    return np.asarray(np.minimum(1.0, tails[row.ravel(), np.maximum(observed - slack, 0)]))


def two_sided(tails: FloatArray) -> FloatArray:
    """The two-sided p-values of a symmetric test from its tails."""
    return np.minimum(1.0, 2 * tails)


def _lattice(differences: FloatArray) -> tuple[IntArray, int]:
    """The differences as multiples of one step, and how many steps rounding may have moved a sum."""
    values = np.unique(np.abs(differences))
    fractions = [Fraction(float(value)).limit_denominator(1024) for value in values]
    unit = math.lcm(*(fraction.denominator for fraction in fractions))
    exact = all(abs(float(fraction) - value) < 1e-9 for fraction, value in zip(fractions, values, strict=True))
    if not exact or _work(differences, unit) > _WORK:
        unit = next((step for step in _LATTICES if _work(differences, step) <= _WORK), _LATTICES[-1])
    steps = np.rint(differences * unit)
    moved = np.abs(steps - differences * unit) > 1e-6 * unit
    return steps.astype(np.int64), math.ceil(float(moved.sum(axis=1).max()) / 2)


def _work(differences: FloatArray, unit: int) -> float:
    return float((np.abs(differences).sum(axis=1).max() * unit + 1) * np.count_nonzero(differences, axis=1).max())


def _upper_tails(sizes: IntArray) -> FloatArray:
    """P(sum of +-sizes >= s) for s = 0, 1, ... [R, S + 1] of rows of sizes in falling order [R, Q].

    Sums of positive terms only, so that the smallest probabilities are as exact as the largest.
    """
    divisor = max(1, int(np.gcd.reduce(sizes, axis=None)))
    steps = sizes // divisor
    reach = int(steps.sum(axis=1).max(initial=0))
    chances = np.zeros((len(steps), 2 * reach + 1))
    chances[:, reach] = 1
    covered = 0
    for column in steps.T:
        largest = int(column.max(initial=0))
        if largest == 0:
            break
        chances = _with_sign(chances, column, reach, covered)
        covered += largest
    tails = chances[:, ::-1].cumsum(axis=1)[:, ::-1][:, reach:]
    return _stretched(tails, divisor)


def _with_sign(chances: FloatArray, column: IntArray, reach: int, covered: int) -> FloatArray:
    """The distribution [R, 2 reach + 1] of the sums with one more size of either sign a row."""
    added = np.zeros_like(chances)
    low, high = max(0, reach - covered), min(chances.shape[1], reach + covered + 1)
    for size in np.unique(column):
        rows = np.flatnonzero(column == size)
        half = chances[rows, low:high] / 2
        for shift in (size, -size):
            start, stop = max(0, low + shift), min(chances.shape[1], high + shift)
            added[rows, start:stop] += half[:, start - low - shift : stop - low - shift]
    return added


def _stretched(tails: FloatArray, divisor: int) -> FloatArray:
    """Tails by steps of 1 from tails by steps of `divisor`: P(sum >= s) belongs to the next multiple."""
    columns = -(-np.arange((tails.shape[1] - 1) * divisor + 1) // divisor)
    return tails[:, columns]

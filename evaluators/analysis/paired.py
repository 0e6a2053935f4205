"""Interval and p-value of a paired mean difference by one family of tests: the interval is what they do not reject.

For every shift delta a test asks whether the questions' differences d_q could have mean delta. At 0 it is the exact
sign-flip test. Elsewhere it weighs the questions and one imaginary question of the worst kind at random, by Dirichlet
weights: P(sum D_q d_q + D_0 b <= delta) is the p-value of a mean of at most delta (Gaffke 2005; Learned-Miller and
Thomas 2019, arXiv 1905.06208). With b at the end of the scale this is the Clopper-Pearson interval of single values
0 and 1, and the exact McNemar test of single differences -1, 0 and 1. See docs/statistics.md for the choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evaluators.analysis.bounded_mean import TAIL, Rows, root, value_counts, weighted_tail
from evaluators.analysis.inference import Interval
from evaluators.analysis.metrics import BoolArray, FloatArray
from evaluators.analysis.sign_flips import sign_flip_tails, two_sided

_STEEPNESS = 5.0
_HASTE = 0.25
"""How soon the imaginary question moves away from where it lies at 0: found by simulation, see docs/statistics.md."""


class Estimate(NamedTuple):
    """A 95 % interval and the two-sided p-value of no difference; p <= 0.05 exactly where the interval leaves 0 out."""

    interval: Interval
    p: float


def paired_estimate(differences: FloatArray) -> Estimate:
    """Interval and p-value of the mean of the questions' differences [Q], each in [-1, 1]."""
    tests = shift_tests(differences[None, :])
    low, high = tests.intervals()
    return Estimate(Interval(float(low[0]), float(high[0])), float(tests.p[0]))


def equivalence_p(differences: FloatArray, margin: float) -> float:
    """The larger p-value of two one-sided tests: that the mean of differences [Q] lies within +-margin."""
    tests = shift_tests(differences[None, :])
    edges = np.array([margin])
    return float(max(tests.above(edges)[0], tests.below(-edges)[0]))


@dataclass(frozen=True, slots=True)
class ShiftTests:
    """The tests of R sets of differences at once. All but `sign` is of differences turned to a mean >= 0."""

    sign: FloatArray
    """-1 where the differences were turned round [R]."""
    values: FloatArray
    """The values that occur [V]."""
    counts: FloatArray
    """How often each does [R, V]."""
    mean: FloatArray
    largest: FloatArray
    """The largest difference of either sign [R]."""
    p: FloatArray
    """Two-sided p-value of no difference [R]."""
    near: FloatArray
    """Where the imaginary question lies, below 0, so that the test at 0 is the sign-flip test [R].

    For shifts between 0 and the mean it moves from there to the largest difference seen: only at 0 does exchangeability
    make the sign-flip test exact, whatever the skewness.
    """
    far: FloatArray
    """Where it lies on either side for shifts that are not between 0 and the mean [R]."""

    def below(self, shift: FloatArray) -> FloatArray:
        """P-values of a true difference of at most `shift` [R]."""
        rows = np.arange(len(self.p))
        return np.where(self.sign < 0, self._above(-shift, rows), self._below(shift, rows))

    def above(self, shift: FloatArray) -> FloatArray:
        """P-values of a true difference of at least `shift` [R]."""
        rows = np.arange(len(self.p))
        return np.where(self.sign < 0, self._below(-shift, rows), self._above(shift, rows))

    def covers(self, shift: FloatArray) -> BoolArray:
        """Whether the 95 % interval holds `shift`, without computing it [R]."""
        decided = np.where(self.sign * shift < 0, self.p > 2 * TAIL, True)  # beyond 0 lies nothing if 0 is rejected
        return np.asarray((self.below(shift) >= TAIL) & (self.above(shift) >= TAIL) & decided)

    def intervals(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper ends [R]."""
        ends = np.maximum(np.maximum(np.abs(self.values).max(), self.largest), self.far)
        zero = np.zeros(len(ends))
        rejected = self.p <= 2 * TAIL
        start, stop = np.where(rejected, zero, -ends), np.where(rejected, self.mean, zero)
        low = root(lambda x, rows: self._below(x, rows) - TAIL, start, stop)
        high = root(lambda x, rows: TAIL - self._above(x, rows), self.mean, ends)
        # The root's last digits must not move 0 to the other side of what the test at 0 has decided.
        low = np.where(rejected, np.maximum(low, np.finfo(float).tiny), np.minimum(low, 0.0))
        return np.where(self.sign < 0, -high, low), np.where(self.sign < 0, -low, high)

    def _below(self, shift: FloatArray, rows: Rows) -> FloatArray:
        mean, near = self.mean[rows], self.near[rows]
        between = (shift >= 0) & (shift <= mean)
        way = (np.where(between, shift, 0.0) / np.where(mean > 0, mean, 1.0)) ** _HASTE
        place = np.where(between, near + (self.largest[rows] - near) * way, self.far[rows])
        return weighted_tail(self.values, self.counts[rows], shift, -place)

    def _above(self, shift: FloatArray, rows: Rows) -> FloatArray:
        return weighted_tail(-self.values, self.counts[rows], -shift, -self.far[rows])


def shift_tests(differences: FloatArray) -> ShiftTests:
    """The tests of every row of differences [R, Q], each difference in [-1, 1]."""
    total = np.round(differences.sum(axis=1), 9)
    sign = np.where(total < 0, -1.0, 1.0)
    turned = differences * sign[:, None]
    values, counts = value_counts(turned)
    tails = sign_flip_tails(turned)
    largest = np.abs(turned).max(axis=1)
    near = _placed(values, counts, tails, largest)
    near = np.where(total == 0, np.where(largest == 0, 1.0, largest), near)  # neither side is the near one
    spread = differences.shape[1] - counts.max(axis=1)
    base = np.maximum(near, 0.0)
    return ShiftTests(
        sign=sign,
        values=values,
        counts=counts,
        mean=turned.mean(axis=1),
        largest=np.maximum(largest, near),
        p=two_sided(tails),
        near=near,
        far=base + np.maximum(0.0, 1 - base) / (spread + 1),
    )


def _placed(values: FloatArray, counts: FloatArray, tails: FloatArray, largest: FloatArray) -> FloatArray:
    """Where below 0 the imaginary question makes the test at 0 the sign-flip test [R]; 1 where no question differs."""
    end = np.ones(len(counts))

    def excess(coordinate: FloatArray, rows: Rows) -> FloatArray:
        place = _place(coordinate, largest[rows])
        tail = weighted_tail(values, counts[rows], np.zeros(len(rows)), -place)
        return tail / tails[rows] - 1

    return _place(root(excess, -end, end), largest)


def _place(coordinate: FloatArray, largest: FloatArray) -> FloatArray:
    """From a coordinate in [-1, 1] to places of every size, `largest` at one half."""
    return np.asarray(np.sinh(_STEEPNESS * coordinate) / np.sinh(_STEEPNESS / 2) * largest)

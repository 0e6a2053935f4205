"""Standard errors, intervals and tests for benchmarks of Q questions with K samples each.

Values are per question and lie in [0, 1]; the question is the unit of every estimate (Miller 2024, arXiv 2411.00640).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from evaluators.analysis.metrics import RIGHT, SILENT, FloatArray, IntArray, vote_credits

PERMUTATIONS = 10_000
REPLICATES = 2_000
LEVEL = 0.95


class Interval(NamedTuple):
    """A 95 % interval; NaN where it is undefined."""

    low: float
    high: float


UNDEFINED = Interval(math.nan, math.nan)


def generator(*key: object) -> np.random.Generator:
    """A local random generator whose stream depends on `key` alone."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in key).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def se_new_questions(values: FloatArray) -> float:
    """Standard error of the mean over new questions of the same kind; NaN for a single question."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def se_same_questions(accuracy: FloatArray, samples: int) -> float:
    """Standard error of Avg@K over new samples of the same questions; NaN for one sample a question."""
    if samples < 2:
        return math.nan
    return float(np.sqrt((accuracy * (1 - accuracy) / (samples - 1)).sum()) / len(accuracy))


def wilson_interval(successes: float, trials: int) -> Interval:
    """Wilson's score interval of a proportion."""
    if trials == 0:
        return UNDEFINED
    z2 = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    rate = successes / trials
    middle = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2 * (rate * (1 - rate) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def mean_interval(values: FloatArray) -> Interval:
    """Interval of a run's mean [Q] over new questions of the same kind, inside [0, 1].

    Student's t on the spread between questions; Wilson's where each value is 0 or 1 (K = 1, say) or none differs,
    because the spread of few such values says too little.
    """
    if np.isin(values, (0.0, 1.0)).all() or np.ptp(values) == 0:
        return wilson_interval(float(values.sum()), len(values))
    low, high = t_interval(values)
    return Interval(max(0.0, low), min(1.0, high))


def t_interval(values: FloatArray) -> Interval:
    """Student's t interval of a mean [Q] with Q - 1 degrees of freedom.

    Undefined for a single question and for values that are all equal: a spread of 0 is no evidence of certainty.
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return UNDEFINED
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * se_new_questions(values)
    return Interval(float(values.mean()) - half, float(values.mean()) + half)


def sign_flip_p(differences: FloatArray, rng: np.random.Generator, permutations: int = PERMUTATIONS) -> float:
    """Two-sided p-value of a mean paired difference: the signs of the questions' differences [Q] flipped at random."""
    moved = differences[differences != 0]
    observed = abs(float(moved.sum())) - 1e-9  # equal sums in another order must still count as equal
    extreme = 0
    for start in range(0, permutations, 1000):
        signs = rng.integers(0, 2, size=(min(1000, permutations - start), len(moved)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ moved) >= observed).sum())
    return (1 + extreme) / (permutations + 1)


def mcnemar_p(base: FloatArray, other: FloatArray) -> float:
    """Exact two-sided McNemar p-value of two runs with one sample a question, each value 0 or 1."""
    gained, lost = int((other > base).sum()), int((other < base).sum())
    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment for several tests, in the order given."""
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    floor = 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return [float(p) for p in adjusted]


class BootstrapIntervals(NamedTuple):
    """Intervals of the differences in Cons@K and Pass@K."""

    cons: Interval
    passed: Interval


def bootstrap_differences(
    base: IntArray, other: IntArray, rng: np.random.Generator, replicates: int = REPLICATES
) -> BootstrapIntervals:
    """Paired two-level bootstrap of the differences in Cons@K and Pass@K between two runs' classes [Q, K].

    Questions are drawn with replacement, the same for both runs, and then the samples within each. Repeated samples
    make both metrics smaller than the runs' own, hence the replicates are centred on the observed difference.
    """
    cons, passed = np.empty(replicates), np.empty(replicates)
    base_votes, other_votes = vote_counts(base), vote_counts(other)
    for replicate in range(replicates):
        drawn = rng.integers(len(base), size=len(base))
        first = _resampled(base_votes[drawn], rng)
        second = _resampled(other_votes[drawn], rng)
        cons[replicate] = (vote_credits(second[:, :-1]) - vote_credits(first[:, :-1])).mean()
        passed[replicate] = ((second[:, RIGHT] > 0).mean()) - (first[:, RIGHT] > 0).mean()
    observed = vote_credits(other_votes[:, :-1]) - vote_credits(base_votes[:, :-1])
    solved = (other_votes[:, RIGHT] > 0).mean() - (base_votes[:, RIGHT] > 0).mean()
    return BootstrapIntervals(_centred(cons, float(observed.mean())), _centred(passed, float(solved)))


def vote_counts(classes: IntArray) -> IntArray:
    """Votes of every question [Q, classes + 1]: right, wrong classes in falling order, and abstentions last."""
    width = int(classes.max(initial=0)) + 1
    counts = np.stack([np.bincount(np.where(row == SILENT, width, row), minlength=width + 1) for row in classes])
    counts[:, 1:width] = -np.sort(-counts[:, 1:width], axis=1)
    return counts


def _resampled(counts: IntArray, rng: np.random.Generator) -> IntArray:
    """As many samples as were there, drawn with replacement within each question."""
    samples = int(counts[0].sum())
    return rng.multinomial(samples, counts / samples)


def _centred(replicates: FloatArray, observed: float) -> Interval:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(replicates - replicates.mean() + observed, (tail, 1 - tail))
    return Interval(float(low), float(high))

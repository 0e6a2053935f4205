"""How often the intervals hold the true value, over simulated benchmarks: the table of docs/statistics.md.

    python scripts/simulate_intervals.py [--repetitions 2000] [--concentration 1] [--seed 5] [--rivals]

A question's difficulty is drawn from a beta distribution of the given mean and concentration (1: most questions are
nearly always or nearly never solved, as with AIME). Two runs are correlated where both find the same questions hard,
and independent where each draws its own. Right answers are one class; of the wrong ones half agree, three in ten agree
on another, and the rest give no vote. `--rivals` adds the sign-flip test inverted over a shift, Student's t and, at
K = 1, Tango's score interval.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluators.analysis.bounded_mean import mean_covers, value_counts, weighted_tail
from evaluators.analysis.metrics import vote_credits
from evaluators.analysis.paired import shift_tests
from evaluators.analysis.sign_flips import sign_flip_tails, two_sided

Array = NDArray[np.float64]

QUESTIONS, SAMPLES, ACCURACIES, EFFECTS = (12, 30, 83), (1, 4, 16), (0.03, 0.10, 0.30, 0.60), (0.0, 0.10)
METRICS = ("Avg", "Cons", "Pass")
WRONG = (0.5, 0.3, 0.2)
"""Shares of the wrong samples: of two classes of answers, and of those without an answer."""
GRID = 4000
"""Difficulties of which questions are drawn."""


@dataclass(frozen=True)
class Cell:
    """One simulated comparison: its settings and how the intervals did, in percent."""

    questions: int
    samples: int
    accuracy: float
    effect: float
    correlated: bool
    metric: str
    differ: float
    """Questions with a difference, on average."""
    coverage: float
    rejections: float
    """Of no difference; NaN where there is one."""
    differences: Array
    """The distinct sets of differences that occurred [R, Q]."""
    truth: float
    rivals: dict[str, float]


@dataclass(frozen=True)
class SingleCell:
    """One simulated run."""

    questions: int
    samples: int
    accuracy: float
    metric: str
    rarer: float
    """Questions of the rarer kind, with a value above 0 or below 1, on average."""
    coverage: float
    rivals: dict[str, float]


def paired_cells(
    repetitions: int, seed: int = 5, *, concentration: float = 1.0, rivals: bool = False
) -> Iterator[Cell]:
    """All settings of two runs."""
    rng = np.random.default_rng(seed)
    for q, k, accuracy, effect, correlated in itertools.product(QUESTIONS, SAMPLES, ACCURACIES, EFFECTS, (False, True)):
        base_of, other_of = (difficulties(mean, concentration) for mean in (accuracy, accuracy + effect))
        drawn = rng.integers(GRID, size=(repetitions, q))
        other_drawn = drawn if correlated else rng.integers(GRID, size=(repetitions, q))
        base, other = votes(rng, base_of[drawn], k), votes(rng, other_of[other_drawn], k)
        for metric in METRICS if k > 1 else METRICS[:1]:
            truth = float(expected(other_of, k, metric).mean() - expected(base_of, k, metric).mean())
            differences = values(other, k, metric) - values(base, k, metric)
            distinct, row = np.unique(np.sort(np.round(differences, 12), axis=1), axis=0, return_inverse=True)
            share = np.bincount(row.ravel(), minlength=len(distinct)) / repetitions
            yield _cell(distinct, share, truth, (q, k, accuracy, effect, correlated, metric), rivals=rivals)


def _cell(
    distinct: Array, share: Array, truth: float, settings: tuple[int, int, float, float, bool, str], *, rivals: bool
) -> Cell:
    without = settings[3] == 0
    p = two_sided(sign_flip_tails(distinct))
    covers = p > 0.05 if without else interval_covers(distinct, truth)
    return Cell(
        *settings,
        differ=float(share @ (distinct != 0).sum(axis=1)),
        coverage=100 * float(share @ covers),
        rejections=100 * float(share @ (p <= 0.05)) if without else math.nan,
        differences=distinct,
        truth=truth,
        rivals=_rivals(distinct, share, truth, settings[1]) if rivals else {},
    )


def interval_covers(differences: Array, truth: float) -> NDArray[np.bool_]:
    """Whether the interval of every row of differences [R, Q] holds `truth`.

    An imaginary question at 0 makes the interval narrower than one at its place on the other side of the mean. Rows
    whose interval holds the truth even so need no more work; those where that place lies on this side are left out.
    """
    distinct, counts = value_counts(differences)
    at, zero = np.full(len(differences), truth), np.zeros(len(differences))
    chance = weighted_tail(distinct, counts, at, zero)
    at_zero = weighted_tail(distinct, counts, zero, zero)
    ordinary = np.where(differences.sum(axis=1) < 0, 1 - at_zero, at_zero) < sign_flip_tails(differences)
    covers = np.asarray((chance > 0.03) & (chance < 0.97) & ordinary)
    open_rows = np.flatnonzero(~covers)
    if len(open_rows):
        covers[open_rows] = shift_tests(differences[open_rows]).covers(at[open_rows])
    return covers


def single_cells(
    repetitions: int, seed: int = 6, *, concentration: float = 1.0, rivals: bool = False
) -> Iterator[SingleCell]:
    """All settings of one run."""
    rng = np.random.default_rng(seed)
    for q, k, accuracy in itertools.product(QUESTIONS, SAMPLES, ACCURACIES):
        chances = difficulties(accuracy, concentration)
        run = votes(rng, chances[rng.integers(GRID, size=(repetitions, q))], k)
        for metric in METRICS if k > 1 else METRICS[:1]:
            value = values(run, k, metric)
            truth = float(expected(chances, k, metric).mean())
            rarer = min((value > 0).sum(axis=1).mean(), (value < 1).sum(axis=1).mean())
            coverage = 100 * float(mean_covers(value, truth).mean())
            others = {"t": 100 * float(_t_covers(value, truth).mean())} if rivals else {}
            yield SingleCell(q, k, accuracy, metric, float(rarer), coverage, others)


def difficulties(mean: float, concentration: float) -> Array:
    """Equally likely accuracies of questions, from the hardest to the easiest [GRID]."""
    chance = (np.arange(GRID) + 0.5) / GRID
    return np.asarray(stats.beta.ppf(chance, mean * concentration, (1 - mean) * concentration))


def votes(rng: np.random.Generator, accuracy: Array, samples: int) -> NDArray[np.int64]:
    """Right answers, two classes of wrong ones and abstentions [..., 4] of questions with these accuracies."""
    shares = np.stack([accuracy, *((1 - accuracy) * share for share in WRONG)], axis=-1)
    return rng.multinomial(samples, shares / shares.sum(axis=-1, keepdims=True))


def values(drawn: NDArray[np.int64], samples: int, metric: str) -> Array:
    """Avg@K, Cons@K or Pass@K of every question."""
    if metric == "Avg":
        return np.asarray(drawn[..., 0] / samples)
    return np.asarray((drawn[..., 0] > 0).astype(float) if metric == "Pass" else vote_credits(drawn[..., :3]))


def expected(accuracy: Array, samples: int, metric: str) -> Array:
    """Their expectations, for questions with these accuracies."""
    if metric == "Avg":
        return accuracy
    if metric == "Pass":
        return np.asarray(1 - (1 - accuracy) ** samples)
    right = np.arange(samples + 1)
    chances = stats.binom.pmf(right, samples, accuracy[:, None])
    return np.asarray(chances @ _credit_by_right(samples))


@lru_cache
def _credit_by_right(samples: int) -> Array:
    """Expected credit of the vote, by the number of right samples [K + 1]."""
    credit = np.zeros(samples + 1)
    for right in range(samples + 1):
        wrong = samples - right
        for first in range(wrong + 1):
            second = np.arange(wrong - first + 1)
            counts = np.stack([np.full_like(second, right), np.full_like(second, first), second], axis=-1)
            rows = np.stack([np.full_like(second, first), second, wrong - first - second], axis=-1)
            credit[right] += vote_credits(counts) @ stats.multinomial.pmf(rows, wrong, WRONG)
    return credit


def _rivals(distinct: Array, share: Array, truth: float, samples: int) -> dict[str, float]:
    flips = two_sided(sign_flip_tails(distinct - truth)) > 0.05
    covered = {"flips": flips, "t": _t_covers(distinct, truth)}
    if samples == 1:
        covered["Tango"] = tango_covers(distinct, truth)
    return {name: 100 * float(share @ which) for name, which in covered.items()}


def _t_covers(rows: Array, truth: float) -> NDArray[np.bool_]:
    half = stats.t.ppf(0.975, rows.shape[1] - 1) * rows.std(axis=1, ddof=1) / math.sqrt(rows.shape[1])
    return np.asarray(np.abs(rows.mean(axis=1) - truth) <= half + 1e-12)


def tango_covers(differences: Array, truth: float) -> NDArray[np.bool_]:
    """Whether Tango's score test (1998) of single differences -1, 0, 1 [R, Q] does not reject `truth`."""
    n = differences.shape[1]
    gained, lost = (differences > 0).sum(axis=1), (differences < 0).sum(axis=1)
    a, b = 2 * n, -gained - lost + (2 * n - gained + lost) * truth
    c = -lost * truth * (1 - truth)
    loss_rate = (np.sqrt(np.maximum(b**2 - 4 * a * c, 0)) - b) / (2 * a)
    variance = n * (2 * loss_rate + truth * (1 - truth))
    distance = np.abs(gained - lost - n * truth)
    return np.asarray(distance <= 1.959964 * np.sqrt(np.maximum(variance, 0)) + 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--concentration", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--rivals", action="store_true")
    options = parser.parse_args()
    same = {"concentration": options.concentration, "rivals": options.rivals}
    for line in table(paired_cells(options.repetitions, options.seed, **same)):
        print(line, flush=True)
    print()
    for cell in single_cells(options.repetitions, options.seed + 1, **same):
        print(single_line(cell), flush=True)


def table(cells: Iterator[Cell]) -> Iterator[str]:
    """The lines of the table of comparisons."""
    yield "  Q  K  accuracy  effect  runs         metric  differ  coverage  rejections"
    yield from map(line, cells)


def line(cell: Cell) -> str:
    """A line of that table."""
    runs = "correlated " if cell.correlated else "independent"
    rivals = "".join(f"  {name} {coverage:5.1f}" for name, coverage in cell.rivals.items())
    rejections = "" if math.isnan(cell.rejections) else f"{cell.rejections:5.1f}"
    return (
        f"{cell.questions:3d} {cell.samples:2d}  {cell.accuracy:8.2f}  {cell.effect:6.2f}  {runs}  {cell.metric:6}  "
        f"{cell.differ:6.1f}  {cell.coverage:8.1f}  {rejections:>10}{rivals}"
    )


def single_line(cell: SingleCell) -> str:
    """A line of the table of single runs."""
    rivals = "".join(f"  {name} {coverage:5.1f}" for name, coverage in cell.rivals.items())
    return (
        f"{cell.questions:3d} {cell.samples:2d}  {cell.accuracy:8.2f}  {cell.metric:6}  {cell.rarer:6.1f}  "
        f"{cell.coverage:8.1f}{rivals}"
    )


if __name__ == "__main__":
    main()

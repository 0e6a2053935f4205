"""One answer from K samples: choosers beyond the majority, each by its expected credit over subsets of k samples.

Outcomes are `classes` [Q, K] as in `evaluators.analysis.metrics`. In every chooser a sample without an answer gives no
vote and cannot be chosen; classes that tie share the credit; a subset without votes earns 0. Where samples are put in
order and two are equal, the earlier one comes first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from evaluators.analysis.inference import generator
from evaluators.analysis.metrics import RIGHT, SILENT, BoolArray, FloatArray, IntArray

SUBSETS = 200
"""Subsets of one size: all of them where there are no more, else so many at random, the same for every question."""

Weights = Callable[[IntArray, IntArray, FloatArray], FloatArray]
"""(ranks among the subset's votes from 1 [S, K], votes in the subset [S, 1], scores [K]) -> weights [S, K].

Samples are in falling order of their scores; weights outside the subset are not looked at."""


def sizes(samples: int) -> list[int]:
    """The k of a curve that is not closed-form: the powers of two up to K, and K."""
    return sorted({2**power for power in range(samples.bit_length()) if 2**power < samples} | {samples})


def subsets(samples: int, k: int) -> BoolArray:
    """Subsets of k of K samples [S, K]; see SUBSETS."""
    if math.comb(samples, k) <= SUBSETS:
        return _all_subsets(samples, k)
    order = generator("subsets", samples, k).random((SUBSETS, samples)).argsort(axis=1)
    return np.asarray(order < k)


def _all_subsets(samples: int, k: int) -> BoolArray:
    chosen = np.array(list(combinations(range(samples), k)))
    table = np.zeros((len(chosen), samples), dtype=bool)
    np.put_along_axis(table, chosen, True, axis=1)
    return table


def best_curve(classes: IntArray, scores: FloatArray) -> FloatArray:
    """Best-of-k by score [Q, K] for k = 1..K [Q, K]: the right share of the samples that have the highest score.

    Exact: among v voters above, m equal and the rest, the subset's best is one of the m with probability
    (C(m + rest, k) - C(rest, k)) / C(K, k).
    """
    count = classes.shape[1]
    ways = np.array([[math.comb(n, k) for k in range(1, count + 1)] for n in range(count + 1)], dtype=float)
    curve = np.zeros(classes.shape)
    for question, (row, score) in enumerate(zip(classes, scores, strict=True)):
        voters = np.flatnonzero(row != SILENT)
        above = 0
        for value in np.unique(score[voters])[::-1]:
            equal = voters[score[voters] == value]
            share = float((row[equal] == RIGHT).mean())
            if share:
                curve[question] += share * (ways[count - above] - ways[count - above - len(equal)])
            above += len(equal)
    return np.asarray(curve / ways[count])


def weighted_curve(classes: IntArray, scores: FloatArray, weights: Weights) -> FloatArray:
    """A weighted vote [Q, len(sizes(K))] by scores [Q, K]; see `sizes` and `SUBSETS`."""
    count = classes.shape[1]
    tables = [subsets(count, k) for k in sizes(count)]
    stacked = np.concatenate(tables)
    bounds = np.cumsum([0, *map(len, tables)])
    curve = np.empty((len(classes), len(tables)))
    for question, (row, score) in enumerate(zip(classes, scores, strict=True)):
        voters = np.flatnonzero(row != SILENT)
        order = voters[np.argsort(-score[voters], kind="stable")]
        credit = _credits(row[order], stacked[:, order], score[order], weights)
        curve[question] = np.add.reduceat(credit, bounds[:-1]) / np.diff(bounds)
    return curve


def _credits(row: IntArray, member: BoolArray, score: FloatArray, weights: Weights) -> FloatArray:
    """The vote's credit in each subset [S] of voters in falling order of their scores."""
    if RIGHT not in row:
        return np.zeros(len(member))
    ranks = member.cumsum(axis=1)
    weight = np.where(member, weights(ranks, ranks[:, -1:], score), 0.0)
    # The right class is the lowest. Sums over runs of columns: a BLAS's threads would wait for each other here.
    by_class = np.argsort(row, kind="stable")
    _, firsts = np.unique(row[by_class], return_index=True)
    votes = np.add.reduceat(weight[:, by_class], firsts, axis=1)
    # Sums of the same weights in another order must still tie.
    most = votes.max(axis=1, keepdims=True)
    tied = votes >= most * (1 - 1e-9)
    return np.where(tied[:, 0] & (most[:, 0] > 0), 1 / np.maximum(1, tied.sum(axis=1)), 0.0)


def borda(ranks: IntArray, votes: IntArray, scores: FloatArray) -> FloatArray:
    """(N - r + 1)^p votes for the r-th by certainty of N (arXiv 2502.18581).

    p is 0.3 up to N = 16 and 1.2 from N = 32, as measured there; between them, in proportion.
    """
    most = int(votes.max(initial=0))
    return np.asarray(_borda_votes(most)[votes, np.clip(votes - ranks + 1, 0, most)])


@lru_cache(maxsize=64)
def _borda_votes(most: int) -> FloatArray:
    """Votes of the place N - r + 1 among N, [most + 1, most + 1]."""
    places = np.arange(most + 1, dtype=float)
    return np.asarray(places[None, :] ** np.interp(places, (16, 32), (0.3, 1.2))[:, None])


def by_score(ranks: IntArray, votes: IntArray, scores: FloatArray) -> FloatArray:
    """Each vote weighs its score, which is positive."""
    return np.broadcast_to(scores, ranks.shape)


def by_best(share: float) -> Weights:
    """DeepConf offline (arXiv 2508.15260): the votes of the highest `share` by confidence, at least one, weigh it."""

    def weights(ranks: IntArray, votes: IntArray, scores: FloatArray) -> FloatArray:
        kept = np.maximum(1, np.round(share * votes))
        return np.where(ranks <= kept, scores, 0.0)

    return weights


@dataclass(frozen=True, slots=True)
class Curve:
    """A chooser on a run: expected credit [Q, len(k)] and generated tokens [Q, len(k)] at each k."""

    k: tuple[int, ...]
    credit: FloatArray
    tokens: FloatArray


def short_curve(classes: IntArray, tokens: IntArray, first: int) -> Curve:
    """short-m@k (arXiv 2505.17813): k samples begin together, and the first m to end vote; `first` is m.

    tokens [Q, K] are the samples' lengths; all k generate until the m-th ends. Exact, for k = 1..K; below m, all vote.
    """
    count = classes.shape[1]
    chances = np.array([_chances_of_last(count, min(first, k), k) for k in range(1, count + 1)])
    others = np.minimum(first, np.arange(1, count + 1)) - 1
    waiting = np.arange(1, count + 1) - others
    credit, spent = np.zeros(classes.shape), np.zeros(classes.shape)
    for question, (row, length) in enumerate(zip(classes, tokens, strict=True)):
        order = np.argsort(length, kind="stable")
        lengths = length[order].astype(float)
        before = np.concatenate([[0.0], lengths[:-1].cumsum() / np.arange(1, count)])
        spent[question] = others * (chances @ before) + waiting * (chances @ lengths)
        votes = np.array([_first_votes(row[order], m) for m in range(1, first + 1)])
        credit[question] = (chances * votes[others]).sum(axis=1)
    return Curve(tuple(range(1, count + 1)), credit, spent)


def _chances_of_last(count: int, m: int, k: int) -> list[float]:
    """How likely the j-th shortest, from 0, is the m-th of a subset of k [K]: C(j, m - 1) C(K - 1 - j, k - m) ways."""
    ways = math.comb(count, k)
    return [math.comb(j, m - 1) * math.comb(count - 1 - j, k - m) / ways for j in range(count)]


def _first_votes(row: IntArray, m: int) -> FloatArray:
    """For each last voter j in the order of lengths, the mean credit of the vote of j and m - 1 before it [K]."""
    if m == 1:
        return np.asarray((row == RIGHT).astype(float))
    if m == 2:
        pairs = _pair_credits(row)
        return np.array([pairs[:j, j].mean() if j else 0.0 for j in range(len(row))])
    if m == 3:
        return _triple_means(row)
    raise ValueError(f"short-m is for m of 1 to 3, not {m}")


def _pair_credits(row: IntArray) -> FloatArray:
    """The credit of the vote of two samples [K, K]."""
    right = (row == RIGHT).astype(float)
    silent = row == SILENT
    agree = row[:, None] == row[None, :]
    half = np.where(agree | silent[:, None] | silent[None, :], 1.0, 0.5)
    return np.asarray(np.maximum(right[:, None], right[None, :]) * half)


def _triple_means(row: IntArray) -> FloatArray:
    """For each j, the mean credit of the votes of j and two before it [K], from how many there are of each class.

    Two of a kind win; three different ones that vote share.
    """
    means = np.zeros(len(row))
    before: Counter[int] = Counter()
    for j, group in enumerate(row.tolist()):
        if j >= 2:
            means[j] = _pairs_credit(group, before) / math.comb(j, 2)
        before[group] += 1
    return means


def _pairs_credit(last: int, before: Counter[int]) -> float:
    """The credits of the votes of `last` with every pair of the samples before it, added up."""
    right, silent = before[RIGHT], before[SILENT]
    wrong = before.total() - right - silent
    two_right = math.comb(right, 2)
    if last == SILENT:
        return two_right + right * silent + right * wrong / 2
    if last != RIGHT:
        return two_right + right * silent / 2 + right * (wrong - before[last]) / 3
    unlike = math.comb(wrong, 2) - sum(math.comb(n, 2) for g, n in before.items() if g not in (RIGHT, SILENT))
    with_right = two_right + right * (silent + wrong)
    return with_right + math.comb(silent, 2) + silent * wrong / 2 + unlike / 3

"""One answer from K samples: choosers beyond the majority, each by its expected credit over subsets of k samples.

Outcomes are `classes` [Q, K] as in `evaluators.analysis.metrics`. In every chooser a sample without an answer gives no
vote and cannot be chosen; classes that tie share the credit; a subset without votes earns 0. Where samples are put in
order and two are equal, the earlier one comes first.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from evaluators.analysis.metrics import RIGHT, SILENT, FloatArray, IntArray


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

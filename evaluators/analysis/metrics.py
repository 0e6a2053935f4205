"""Avg@K, Pass@k and Cons@k: pure functions on arrays of outcomes.

A run's outcomes are an integer array `classes` [Q, K]: RIGHT (0) for a right answer, 1, 2, ... for classes of
equivalent wrong answers of the question, SILENT (-1) for a sample that gives no vote. K is the planned number of
samples, so that one that is missing stays in every denominator.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

RIGHT = 0
SILENT = -1

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def accuracies(classes: IntArray) -> FloatArray:
    """p_q = c_q / K of every question [Q]; Avg@K is their mean."""
    return np.asarray((classes == RIGHT).mean(axis=1), dtype=np.float64)


def pass_at_k(correct: IntArray, samples: int, k: int) -> FloatArray:
    """Unbiased Pass@k of every question [Q] from `correct` right ones among `samples` (Chen et al. 2021, eq. 1).

    1 - C(K - c, k) / C(K, k); NaN where k is larger than K, for which no unbiased estimate exists.
    """
    if k > samples:
        return np.full(len(correct), np.nan)
    return np.asarray(_pass_table(samples)[correct, k - 1])


def pass_curve(classes: IntArray) -> FloatArray:
    """Pass@k of every question for k = 1..K [Q, K]."""
    return np.asarray(_pass_table(classes.shape[1])[(classes == RIGHT).sum(axis=1)])


@lru_cache(maxsize=64)
def _pass_table(samples: int) -> FloatArray:
    """Pass@k [K + 1, K] by the number of right samples and k - 1.

    C(K - c, k) / C(K, k) is the product over i < k of (K - c - i) / (K - i).
    """
    correct = np.arange(samples + 1)[:, None]
    drawn = np.arange(samples)[None, :]
    none_right = np.cumprod(np.maximum(samples - correct - drawn, 0) / (samples - drawn), axis=1)
    return np.asarray(1 - none_right)


def cons_curve(classes: IntArray) -> FloatArray:
    """Cons@k of every question for k = 1..K [Q, K]: the expected credit of the vote over uniform k-subsets.

    The class with most votes wins; t classes that tie share the credit, so the right one among them earns 1 / t; a
    subset without votes earns 0. Exact: nothing is sampled.
    """
    return np.array([_vote_credit(*_votes(row)) for row in classes]).reshape(classes.shape)


def _votes(row: IntArray) -> tuple[int, tuple[int, ...], int]:
    """Votes of one question: for the right class, for each wrong class in falling order, and abstentions."""
    silent = int((row == SILENT).sum())
    votes = np.bincount(row[row != SILENT], minlength=1)
    wrong = sorted((int(count) for count in votes[1:] if count), reverse=True)
    return int(votes[RIGHT]), tuple(wrong), silent


@lru_cache(maxsize=65536)
def _vote_credit(right: int, wrong: tuple[int, ...], silent: int) -> FloatArray:
    """Expected credit for k = 1..K [K].

    Split the subsets by v, the votes of the right class. Each wrong class of n samples contributes the polynomial
    sum_{u < v} C(n, u) x^u + y C(n, v) x^v, where x counts the subset's samples and y the classes that tie; the
    integral of y^(t - 1) over [0, 1] is the credit 1 / t, and Gauss-Legendre nodes integrate it exactly.
    """
    size = right + sum(wrong) + silent
    subsets = _binomials(size, size)
    credit = np.zeros(size + 1)
    contested = min(right, max(wrong, default=0))
    for votes in range(contested + 1, right + 1):
        credit[votes:] += math.comb(right, votes) * _binomials(size - right, size - votes)
    if contested:
        votes_of_row, tie, weight = _tie_nodes(contested, wrong)
        # A class that cannot reach v votes does not restrain the subsets: its samples are free.
        free = [silent + sum(count for count in wrong if count < votes) for votes in range(contested + 1)]
        ways = np.stack([_binomials(free[votes], size) for votes in votes_of_row])
        for count in wrong:
            reached = int(np.searchsorted(votes_of_row, count, side="right"))
            ways[:reached] = _times_class(ways[:reached], count, votes_of_row[:reached], tie[:reached])
        for votes, row_weight, row in zip(votes_of_row, weight, ways, strict=True):
            credit[votes:] += row_weight * math.comb(right, int(votes)) * row[: size - votes + 1]
    # Rounded so that what is certain is exactly 0 or 1.
    return np.asarray(np.round(credit[1:] / subsets[1:], 12))


def _tie_nodes(contested: int, wrong: tuple[int, ...]) -> tuple[IntArray, FloatArray, FloatArray]:
    """Quadrature rows (votes v of the right class, node y, weight), exact for as many ties as v allows."""
    rows = []
    for votes in range(1, contested + 1):
        most_ties = sum(count >= votes for count in wrong)
        nodes, weights = _gauss_nodes((most_ties + 2) // 2)
        rows += [(votes, (1 + node) / 2, weight / 2) for node, weight in zip(nodes, weights, strict=True)]
    votes_of_row, tie, weight = zip(*rows, strict=True)
    return np.array(votes_of_row), np.array(tie), np.array(weight)


@lru_cache(maxsize=1024)
def _gauss_nodes(count: int) -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights


@lru_cache(maxsize=8192)
def _binomials(total: int, most: int) -> FloatArray:
    """C(total, u) for u = 0..most."""
    return np.asarray(comb(total, np.arange(most + 1)))


def _times_class(ways: FloatArray, count: int, votes_of_row: IntArray, tie: FloatArray) -> FloatArray:
    """Multiply each row's polynomial in x by that of one wrong class with `count` samples; rows in the order of v."""
    product = np.zeros_like(ways)
    for votes in range(int(votes_of_row[-1]) + 1):
        first, above = np.searchsorted(votes_of_row, (votes, votes + 1))
        choices = math.comb(count, votes)
        shifted = ways[first:, : ways.shape[1] - votes]
        product[above:, votes:] += choices * shifted[above - first :]
        product[first:above, votes:] += choices * tie[first:above, None] * shifted[: above - first]
    return product


def vote_credits(votes: IntArray) -> FloatArray:
    """Credit of the vote [...] from the votes of every class [..., classes], the right class first."""
    most = votes.max(axis=-1)
    tied = (votes == most[..., None]).sum(axis=-1)
    return np.where((votes[..., RIGHT] == most) & (most > 0), 1 / tied, 0.0)


def vote_counts(classes: IntArray) -> IntArray:
    """Votes of every question [Q, classes + 1]: right, wrong classes in falling order, and abstentions last."""
    width = int(classes.max(initial=0)) + 1
    counts = np.stack([np.bincount(np.where(row == SILENT, width, row), minlength=width + 1) for row in classes])
    counts[:, 1:width] = -np.sort(-counts[:, 1:width], axis=1)
    return counts


def optimistic(classes: IntArray, still_open: BoolArray) -> IntArray:
    """The outcomes if every sample that was left open [Q, K] had been right: what an upper bound is taken of."""
    return np.where(still_open, RIGHT, classes)

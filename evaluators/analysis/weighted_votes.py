"""Weighted votes: each chooser's expected credit over subsets of k samples, for many questions and subsets at a time.

Classes and scores [Q, K], and the rules for samples without an answer and for ties, are those of
`evaluators.analysis.choosers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluators.analysis.inference import generator
from evaluators.analysis.metrics import RIGHT, SILENT, BoolArray, FloatArray, IntArray

SUBSETS = 200
"""Subsets of one size: all of them where there are no more, else so many at random, the same for every question."""
BLOCK = 1 << 16
"""Numbers that are worked on at a time: few enough for a core's cache."""

Weights = Callable[[IntArray, IntArray, FloatArray], FloatArray]
"""(ranks r from 1 [k], votes N in each subset [..., 1], their scores [..., k]) -> weights that broadcast to [..., k].

A subset's votes come first and in falling order of their scores; what stands behind them is not looked at."""


def sizes(samples: int) -> list[int]:
    """The k of a curve that is not closed-form: the powers of two up to K, and K."""
    return sorted({2**power for power in range(samples.bit_length()) if 2**power < samples} | {samples})


def subsets(samples: int, k: int) -> IntArray:
    """Subsets of k of K samples [S, k], as their indices; see SUBSETS."""
    if math.comb(samples, k) <= SUBSETS:
        return np.array(list(combinations(range(samples), k)))
    order = generator("subsets", samples, k).random((SUBSETS, samples)).argsort(axis=1)
    return np.nonzero(order < k)[1].reshape(SUBSETS, k)


def weighted_curve(classes: IntArray, scores: FloatArray, weights: Weights) -> FloatArray:
    """A weighted vote [Q, len(sizes(K))] by scores [Q, K]; see `sizes` and `SUBSETS`."""
    ks = sizes(classes.shape[1])
    curve = np.zeros((len(classes), len(ks)))
    has_right = np.flatnonzero((classes == RIGHT).any(axis=1))
    tables = [subsets(classes.shape[1], k) for k in ks]
    # Questions with about as many classes share a block.
    width = np.array([len(np.unique(row)) for row in classes[has_right]], dtype=int)
    in_order = np.argsort(width, kind="stable")
    ranked = _ranked(classes[has_right[in_order]], scores[has_right[in_order]])
    questions = has_right[in_order]
    for column, chosen in enumerate(tables):
        for block in _blocks(len(chosen) * np.maximum(width[in_order], chosen.shape[1])):
            curve[questions[block], column] = _mean_credits(ranked.pick(block), chosen, weights)
    return curve


class _Ranked(NamedTuple):
    """Questions whose samples are put in falling order of their scores, those without an answer last."""

    places: NDArray[np.int16]
    """Where each sample has gone [Q, K], in two bytes, which sort quickly."""
    labels: IntArray
    """Classes in that order [Q, K], counted without gaps; SILENT as in `classes`."""
    scores: FloatArray
    """Scores in that order [Q, K]."""

    def pick(self, block: slice) -> _Ranked:
        return _Ranked(self.places[block], self.labels[block], self.scores[block])


def _ranked(classes: IntArray, scores: FloatArray) -> _Ranked:
    silent = classes == SILENT
    order = np.argsort(np.where(silent, np.inf, -scores), axis=1, kind="stable")
    places = np.empty(classes.shape, dtype=np.int16)
    np.put_along_axis(places, order, np.arange(classes.shape[1], dtype=np.int16)[None], axis=1)
    return _Ranked(
        places,
        np.take_along_axis(_without_gaps(classes, silent), order, axis=1),
        np.take_along_axis(scores, order, axis=1),
    )


def _without_gaps(classes: IntArray, silent: BoolArray) -> IntArray:
    labels = np.full_like(classes, SILENT)
    for row, (group, has_none) in enumerate(zip(classes, silent, strict=True)):
        labels[row] = np.unique(group, return_inverse=True)[1] - has_none.any()
    return labels


def _blocks(numbers: IntArray) -> Iterator[slice]:
    """Questions in their order, each with so many `numbers` [Q] to work on, in blocks of about BLOCK."""
    start = 0
    while start < len(numbers):
        within = np.searchsorted(numbers[start:].cumsum(), BLOCK, side="right")
        end = start + max(1, int(within))
        yield slice(start, end)
        start = end


def _mean_credits(ranked: _Ranked, chosen: IntArray, weights: Weights) -> FloatArray:
    """The mean credit [Q] of the votes of the subsets `chosen` [S, k]."""
    count, samples = ranked.places.shape
    places = np.sort(ranked.places[:, chosen], axis=2)
    flat = places + np.arange(0, count * samples, samples)[:, None, None]
    labels = ranked.labels.take(flat)
    votes = (labels != SILENT).sum(axis=2, keepdims=True)
    weight = weights(np.arange(1, chosen.shape[1] + 1), votes, ranked.scores.take(flat))
    totals = _totals(labels, np.broadcast_to(weight, labels.shape))
    most = totals.max(axis=2)
    # Sums of the same weights in another order must still tie.
    tied = totals >= most[:, :, None] * (1 - 1e-9)
    credit = np.where(tied[:, :, RIGHT] & (most > 0), 1 / np.maximum(1, tied.sum(axis=2)), 0.0)
    return np.asarray(credit.mean(axis=1))


def _totals(labels: IntArray, weight: FloatArray) -> FloatArray:
    """The weight of every class [Q, S, classes] among `labels` [Q, S, k]."""
    width = int(labels.max()) + 2  # one more for those without an answer
    rows = labels.shape[0] * labels.shape[1]
    cells = np.where(labels == SILENT, width - 1, labels).reshape(rows, -1) + np.arange(0, rows * width, width)[:, None]
    totals = np.bincount(cells.ravel(), weights=weight.ravel(), minlength=rows * width)
    return np.asarray(totals.reshape(*labels.shape[:2], width)[:, :, :-1], dtype=float)


def borda(ranks: IntArray, votes: IntArray, scores: FloatArray) -> FloatArray:
    """(N - r + 1)^p votes for the r-th by certainty of N (arXiv 2502.18581).

    p is 0.3 up to N = 16 and 1.2 from N = 32, as measured there; between them, in proportion.
    """
    return np.asarray(_borda_votes(scores.shape[-1])[votes, np.maximum(0, votes - ranks + 1)])


@lru_cache(maxsize=64)
def _borda_votes(most: int) -> FloatArray:
    """Votes of the place N - r + 1 among N, [most + 1, most + 1]."""
    places = np.arange(most + 1, dtype=float)
    return np.asarray(places[None, :] ** np.interp(places, (16, 32), (0.3, 1.2))[:, None])


def by_score(ranks: IntArray, votes: IntArray, scores: FloatArray) -> FloatArray:
    """Each vote weighs its score, which is positive."""
    return scores


def by_best(share: float) -> Weights:
    """DeepConf offline (arXiv 2508.15260): the votes of the highest `share` by confidence, at least one, weigh it."""

    def weights(ranks: IntArray, votes: IntArray, scores: FloatArray) -> FloatArray:
        kept = np.maximum(1, np.round(share * votes))
        return np.where(ranks <= kept, scores, 0.0)

    return weights

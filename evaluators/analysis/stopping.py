"""Early stopping replayed on recorded samples, in their order: what would have been answered, for how many tokens.

Classes [Q, K] and tokens [Q, K] as in `evaluators.analysis.choosers`. A vote that ties shares the credit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from evaluators.analysis.metrics import RIGHT, SILENT, BoolArray, FloatArray, IntArray, vote_credits

ESC_WINDOW = 5
ADAPTIVE_LEVEL = 0.95
WARM_UP = 16


@dataclass(frozen=True, slots=True)
class Stopped:
    """Credit [Q] and generated tokens [Q] of each question."""

    credit: FloatArray
    tokens: FloatArray


def esc(classes: IntArray, tokens: IntArray, window: int = ESC_WINDOW) -> Stopped:
    """ESC (arXiv 2401.10480): windows of samples until one is unanimous; the vote is of all that were drawn.

    A window with a sample that has no answer is not unanimous; the last window may be shorter.
    """
    ends = [_esc_end(row, window) for row in classes]
    return _voted(classes, tokens, ends)


def adaptive_consistency(classes: IntArray, tokens: IntArray, level: float = ADAPTIVE_LEVEL) -> Stopped:
    """Adaptive-Consistency (arXiv 2305.11860): samples until P(p1 > p2) > level for the two most frequent answers.

    P is that of Beta(v1 + 1, v2 + 1) above one half, v1 and v2 being their votes.
    """
    most = classes.shape[1]
    votes = np.arange(most + 1)
    certain = beta.sf(0.5, votes[:, None] + 1, votes[None, :] + 1) > level
    return _voted(classes, tokens, [_adaptive_end(row, certain) for row in classes])


def deepconf_online(
    classes: IntArray,
    tokens: IntArray,
    confidences: Sequence[Sequence[FloatArray]],
    *,
    share: float,
    warm_up: int = WARM_UP,
) -> Stopped:
    """DeepConf online (arXiv 2508.15260): a trace is cut, and loses its vote, where a window falls below the bar.

    confidences: of each question and sample, the means of its windows in their order (the first ends where a window is
    full, or with the trace). The bar is what the best `share` of the warm-up traces by their lowest window exceed; the
    votes weigh their trace's lowest window. Without more samples than the warm-up nothing is cut.
    """
    credit, spent = np.zeros(len(classes)), tokens.sum(axis=1).astype(float)
    for question, (row, traces) in enumerate(zip(classes, confidences, strict=True)):
        lowest = np.array([trace.min() if len(trace) else 0.0 for trace in traces])
        kept = np.ones(len(row), dtype=bool)
        if len(row) > warm_up:
            bar = np.quantile(lowest[:warm_up], 1 - share)
            for sample in range(warm_up, len(row)):
                below = np.flatnonzero(traces[sample] < bar)
                if len(below):
                    kept[sample] = False
                    spent[question] -= len(traces[sample]) - 1 - below[0]
            kept[:warm_up] = lowest[:warm_up] >= bar
        voting = kept & (row != SILENT)
        votes = np.bincount(row[voting], weights=lowest[voting], minlength=1)
        credit[question] = vote_credits(np.round(votes, 9)[None])[0]
    return Stopped(credit, spent)


def _esc_end(row: IntArray, window: int) -> int:
    for start in range(0, len(row), window):
        part = row[start : start + window]
        if len(part) == window and part[0] != SILENT and (part == part[0]).all():
            return start + window
    return len(row)


def _adaptive_end(row: IntArray, certain: BoolArray) -> int:
    votes = np.zeros(int(row.max(initial=0)) + 2, dtype=int)
    for index, group in enumerate(row):
        if group != SILENT:
            votes[group] += 1
        second, first = np.partition(votes, -2)[-2:]
        if certain[first, second]:
            return index + 1
    return len(row)


def _voted(classes: IntArray, tokens: IntArray, ends: Sequence[int]) -> Stopped:
    """The vote of the first `ends` samples of each question."""
    drawn = np.arange(classes.shape[1]) < np.array(ends)[:, None]
    width = int(classes.max(initial=0)) + 1
    votes = np.stack([((classes == group) & drawn).sum(axis=1) for group in range(RIGHT, width)], axis=1)
    return Stopped(np.asarray(vote_credits(votes)), (tokens * drawn).sum(axis=1).astype(float))

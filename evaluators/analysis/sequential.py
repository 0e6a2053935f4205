"""A comparison that may be looked at after every round: round k is sample k of every question, in both runs.

With w pairs of samples that only the method solved and l that only the base solved, E = 2^(w + l) B(a + w, a + l) /
B(a, a) is what a bettor against "no difference" has made of 1: its expectation never exceeds 1, so E >= 20 at any
look has a chance of at most 5 % (Ville's inequality). It is a mixture over bets lambda of the product of 1 + lambda x
over pairs x = 1, 0, -1. For a true mean difference delta over these questions the product of 1 + lambda (x - delta)
has expectation prod(1 + lambda (delta_q - delta)) <= 1 in each round, by the means' inequality, also where effects
cancel over the questions. The differences with E(delta) < 20 are the confidence sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betaln

from evaluators.analysis.inference import LEVEL, Interval
from evaluators.analysis.metrics import RIGHT, BoolArray, FloatArray, IntArray

PRIOR = 10.0
"""a: the bets are spread like 2 theta - 1 with theta ~ Beta(a, a)."""
THRESHOLD = 1 / (1 - LEVEL)
_BETS = 4000

Outcome = Literal["better", "worse", "futile", "open"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a sequential comparison stopped, or stands."""

    rounds: int
    """Complete rounds that count."""
    outcome: Outcome
    gained: int
    """Pairs of samples that only the other run solved."""
    lost: int
    """Pairs of samples that only the base run solved."""
    interval: Interval
    """The confidence sequence of the difference in Avg, in [-1, 1], at the last of those rounds."""
    p: float
    """Valid at every look: 1 / E, at most 1."""


def decide(base: IntArray, other: IntArray, smallest_effect: float | None = None) -> Decision:
    """Look after each round at the outcomes of two runs [Q, rounds], and stop as soon as they are settled.

    `smallest_effect`, in [0, 1], adds a stop for futility: the confidence sequence lies below it.
    """
    won, lost = pairs_by_round(base, other)
    pairs = len(base) * np.arange(1, base.shape[1] + 1)
    values = log_e(won, lost)
    for index, value in enumerate(values):
        counts = int(won[index]), int(lost[index]), int(pairs[index])
        if value >= np.log(THRESHOLD):
            return _decision(index + 1, "better" if won[index] > lost[index] else "worse", counts)
        if smallest_effect is not None and _excluded_from_above(*counts, smallest_effect):
            return _decision(index + 1, "futile", counts)
    counts = (int(won[-1]), int(lost[-1]), int(pairs[-1])) if len(values) else (0, 0, 0)
    return _decision(len(values), "open", counts)


def pairs_by_round(base: IntArray, other: IntArray) -> tuple[IntArray, IntArray]:
    """Pairs won and lost by the other run up to each round [rounds], from outcomes [Q, rounds]."""
    first, second = base == RIGHT, other == RIGHT
    return _running(second & ~first), _running(first & ~second)


def log_e(won: IntArray | FloatArray, lost: IntArray | FloatArray) -> FloatArray:
    """log E against no difference, from pairs won and lost."""
    pairs = np.asarray(won) + np.asarray(lost)
    bets = betaln(PRIOR + np.asarray(won), PRIOR + np.asarray(lost)) - betaln(PRIOR, PRIOR)
    return np.asarray(pairs * np.log(2) + bets, dtype=np.float64)


def log_e_against(won: int, lost: int, pairs: int, difference: float) -> float:
    """log E against a true difference in [-1, 1], from `pairs` pairs of which so many were won and lost."""
    if difference == 0:
        return float(log_e(np.array(won), np.array(lost)))
    spread, weights = _bets()
    bets = spread / (1 + abs(difference))
    with np.errstate(divide="ignore"):
        logs = (
            won * np.log1p(bets * (1 - difference))
            + lost * np.log1p(-bets * (1 + difference))
            + (pairs - won - lost) * np.log1p(-bets * difference)
        )
    top = logs.max()
    return float(top + np.log(weights @ np.exp(logs - top)))


def confidence_sequence(won: int, lost: int, pairs: int) -> Interval:
    """The differences that no look so far may exclude; [-1, 1] before the first pair."""
    if pairs == 0:
        return Interval(-1.0, 1.0)
    mean = (won - lost) / pairs

    def beyond(difference: float) -> float:
        return log_e_against(won, lost, pairs, difference) - float(np.log(THRESHOLD))

    settled = beyond(0.0) >= 0
    low = _end(beyond, mean, -1.0, stop_at_zero=settled and mean > 0)
    high = _end(beyond, mean, 1.0, stop_at_zero=settled and mean < 0)
    if not settled:
        low, high = min(low, 0.0), max(high, 0.0)
    return Interval(low, high)


def _end(beyond: Callable[[float], float], mean: float, extreme: float, *, stop_at_zero: bool) -> float:
    edge = 0.0 if stop_at_zero else extreme
    if beyond(edge) < 0:
        return edge
    end = float(brentq(beyond, mean, edge))
    return end if end or not stop_at_zero else float(np.copysign(np.finfo(float).tiny, mean))


def _excluded_from_above(won: int, lost: int, pairs: int, effect: float) -> bool:
    return (won - lost) / pairs < effect and log_e_against(won, lost, pairs, effect) >= np.log(THRESHOLD)


def _decision(rounds: int, outcome: Outcome, counts: tuple[int, int, int]) -> Decision:
    won, lost, pairs = counts
    p = min(1.0, float(np.exp(-log_e(np.array(won), np.array(lost)))))
    return Decision(rounds, outcome, won, lost, confidence_sequence(won, lost, pairs), p)


def _running(pairs: BoolArray) -> NDArray[np.int64]:
    return np.asarray(pairs.sum(axis=0, dtype=np.int64).cumsum())


@cache
def _bets() -> tuple[FloatArray, FloatArray]:
    """Bets in (-1, 1) and weights of 2 theta - 1 with theta ~ Beta(a, a); fine enough for a million pairs."""
    bets = np.linspace(-1, 1, _BETS + 1)[1:-1]
    weights = (1 - bets**2) ** (PRIOR - 1)
    return bets, weights / weights.sum()

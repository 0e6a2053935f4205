"""The sequential comparison: against simulated campaigns, by hand, and where it stops."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from evaluators.analysis.sequential import (
    PRIOR,
    THRESHOLD,
    confidence_sequence,
    decide,
    log_e,
    log_e_against,
    pairs_by_round,
)
from scripts.simulate_sequential import Campaigns, line, simulate

CAMPAIGNS = 200
"""`scripts/simulate_sequential.py` makes 2,000 of each kind."""


@lru_cache
def simulated() -> list[Campaigns]:
    return list(simulate(CAMPAIGNS))


def test_campaigns_raise_few_false_alarms_and_find_what_is_there() -> None:
    print("\n".join(line(found) for found in simulated() if found.questions == 30))
    for found in simulated():
        assert found.wrong.mean() <= (0.05 if found.effect == 0 else 0.01)
        if found.effect == 0.12:
            assert found.stopped.all()
            assert found.rounds.mean() < 16
        if found.effect == 0 and found.questions == 30 and not found.cancelling:
            assert found.peeking.mean() > 0.2, "without the sequential test, looking finds what is not there"
    for before, after in zip(simulated(), simulated()[1:], strict=False):
        assert after.stopped.mean() >= before.stopped.mean() or after.effect < before.effect


def test_the_confidence_sequence_holds_the_truth_at_every_look() -> None:
    """Also where effects differ over the questions, of which E(delta) knows the mean alone."""
    looks = np.array([0, 1, 2, 4, 8, 16, 32, 63])
    for found in (found for found in simulated() if found.questions == 30 and found.cancelling and found.effect):
        pairs = 30 * (looks + 1)
        excluded = [
            any(
                log_e_against(int(w), int(x), int(n), found.effect) >= math.log(THRESHOLD)
                for w, x, n in zip(won[looks], lost[looks], pairs, strict=True)
            )
            for won, lost in zip(found.won, found.lost, strict=True)
        ]
        assert np.mean(excluded) <= 0.05


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 3000))
def test_the_confidence_sequence_leaves_out_0_exactly_where_the_comparison_is_settled(
    won: int, lost: int, even: int
) -> None:
    pairs = won + lost + even
    low, high = confidence_sequence(won, lost, pairs)
    assert -1 <= low <= (won - lost) / max(1, pairs) <= high <= 1
    assert (low > 0 or high < 0) == (log_e(np.array(won), np.array(lost)) >= math.log(THRESHOLD))
    for end in (low, high):
        if abs(end) not in (0, 1) and abs(end) > 1e-300:
            assert log_e_against(won, lost, pairs, end) == pytest.approx(math.log(THRESHOLD), abs=1e-3)


def test_e_by_hand() -> None:
    """Two pairs won, none lost: 4 B(12, 10) / B(10, 10) = 4 * (10 * 11) / (20 * 21)."""
    assert np.exp(log_e(np.array(2), np.array(0))) == pytest.approx(4 * 110 / 420)


@pytest.mark.parametrize(("won", "lost", "pairs"), [(0, 0, 5), (5, 3, 60), (30, 10, 200), (400, 300, 9000)])
@pytest.mark.parametrize("difference", [0.0, 1e-9, 0.04, -0.1])
def test_e_is_the_mixture_over_bets(won: int, lost: int, pairs: int, difference: float) -> None:
    """By quadrature: bets 2 theta - 1 over 1 + |difference|, theta from a beta distribution."""

    def product(theta: float) -> float:
        bet = (2 * theta - 1) / (1 + abs(difference))
        logs = won * math.log1p(bet * (1 - difference)) + lost * math.log1p(-bet * (1 + difference))
        return math.exp(logs + (pairs - won - lost) * math.log1p(-bet * difference)) * stats.beta.pdf(
            theta, PRIOR, PRIOR
        )

    expected, _ = integrate.quad(product, 1e-9, 1 - 1e-9, limit=500, epsabs=0, epsrel=1e-9, points=[0.5])
    assert log_e_against(won, lost, pairs, difference) == pytest.approx(math.log(expected), abs=1e-4)


def test_a_fair_game_wins_nothing_on_average() -> None:
    """The expectation of E over all outcomes of 3 questions and 2 rounds without a mean effect, by enumeration."""
    effects = (0.2, -0.3, 0.1)
    total = 0.0
    for outcome in np.ndindex(*(3,) * 6):
        steps = np.array(outcome) - 1
        chance = math.prod(
            0.5 * (1 - abs(e)) if step == 0 else (0.5 + 0.5 * abs(e) if e * step > 0 else 0.0)
            for step, e in zip(steps, (*effects, *effects), strict=True)
        )
        total += chance * math.exp(log_e(np.array((steps > 0).sum()), np.array((steps < 0).sum())))
    assert total <= 1 + 1e-12


def test_a_comparison_stops_at_the_first_round_that_settles_it() -> None:
    base, other = np.ones((30, 8), int), np.ones((30, 8), int)
    other[:12, :] = 0
    decision = decide(base, other)
    assert (decision.outcome, decision.rounds, decision.gained, decision.lost) == ("better", 2, 24, 0)
    assert decision.p <= 0.05
    assert decision.interval.low > 0
    assert decide(other, base).outcome == "worse"
    assert (decide(base, base).outcome, decide(base, base).rounds) == ("open", 8)


def test_a_comparison_without_hope_stops_for_futility() -> None:
    base, other = np.random.default_rng(3).integers(0, 2, (2, 198, 64))
    decision = decide(base, other, smallest_effect=0.1)
    assert decision.outcome == "futile"
    assert decision.rounds < 64
    assert decision.interval.high < 0.1


def test_pairs_are_counted_round_by_round() -> None:
    won, lost = pairs_by_round(np.array([[0, 1, 2], [1, 0, -1]]), np.array([[1, 0, 0], [0, 0, -1]]))
    assert won.tolist() == [1, 2, 3]
    assert lost.tolist() == [1, 1, 1]

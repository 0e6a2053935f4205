"""Errors, intervals and tests against simulation and against values worked out independently."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from evaluators.analysis import inference
from evaluators.analysis.metrics import vote_counts
from evaluators.analysis.power import FACTOR, power

BENCHMARKS = 2_000
QUESTIONS = 30


def simulated(rng: np.random.Generator, accuracy: np.ndarray, samples: int) -> np.ndarray:
    """Rates of correct samples of questions with the given accuracies."""
    return rng.binomial(samples, accuracy) / samples


@pytest.mark.parametrize(("alpha", "beta", "samples"), [(1, 1, 5), (0.6, 0.6, 16), (2, 4, 8)])
def test_error_over_new_samples_of_the_same_questions_covers_95_percent(
    alpha: float, beta: float, samples: int
) -> None:
    rng = np.random.default_rng(12)
    accuracy = rng.beta(alpha, beta, QUESTIONS)
    covered = 0
    for _ in range(BENCHMARKS):
        rates = simulated(rng, accuracy, samples)
        covered += abs(rates.mean() - accuracy.mean()) <= 1.96 * inference.se_same_questions(rates, samples)
    assert 0.93 <= covered / BENCHMARKS <= 0.97


def test_standard_errors_by_hand() -> None:
    rates = np.array([0.5, 1.0, 0.0, 0.5])
    assert inference.se_new_questions(rates) == pytest.approx(math.sqrt(0.5 / 3) / 2)
    assert inference.se_same_questions(rates, 2) == pytest.approx(math.sqrt(0.25 + 0.25) / 4)
    assert math.isnan(inference.se_same_questions(rates, 1))
    assert math.isnan(inference.se_new_questions(rates[:1]))


def test_holm_by_hand() -> None:
    assert inference.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert inference.holm([0.9, 0.8]) == [1.0, 1.0]
    assert inference.holm([0.2]) == [0.2]


def found(base: np.ndarray, effects: np.ndarray, samples: int, rng: np.random.Generator, runs: int) -> float:
    """Share of simulated comparisons whose t interval excludes 0; one row of effects per run."""
    rows = effects[rng.integers(len(effects), size=runs)]
    differences = rng.binomial(samples, np.clip(base + rows, 0, 1)) - rng.binomial(samples, base, size=rows.shape)
    return float(np.mean(stats.ttest_1samp(differences / samples, 0, axis=1).pvalue < 0.05))


@pytest.mark.parametrize(("questions", "samples"), [(30, 5), (30, 64), (120, 5), (300, 16)])
def test_detectable_difference_is_the_one_that_simulated_runs_find_4_times_in_5(questions: int, samples: int) -> None:
    rng = np.random.default_rng(16)
    base = rng.uniform(0.25, 0.75, questions)
    spread = rng.normal(0, 0.05, size=(2_000, questions))
    first = simulated(rng, np.tile(base, (200, 1)), samples)
    second = simulated(rng, np.clip(base + spread[:200], 0, 1), samples)
    formula = float(np.median([power(a, b, samples).detectable() for a, b in zip(first, second, strict=True)]))
    grid = np.linspace(0, 2 * formula, 21)
    powers = [found(base, shift + spread, samples, rng, 2_000) for shift in grid]
    simulated_difference = float(np.interp(0.8, powers, grid))
    assert abs(100 * (formula - simulated_difference)) < 2
    if questions >= 120:  # below, Student's t asks for more than the normal 1.96 behind the factor
        assert np.interp(formula, grid, powers) == pytest.approx(0.8, abs=0.02)


def test_power_formula_by_hand() -> None:
    base, other = np.array([0.5, 0.25, 0.75, 1.0]), np.array([0.75, 0.5, 0.75, 0.5])
    split = power(base, other, 4)
    within = ((0.25 + 3 / 16 + 3 / 16 + 0) + (3 / 16 + 0.25 + 3 / 16 + 0.25)) / 4 * 4 / 3
    total = float(np.var([0.25, 0.25, 0, -0.5], ddof=1))
    assert split.within == pytest.approx(within)
    assert split.between == pytest.approx(max(0, total - within / 4))
    assert split.detectable(16) == pytest.approx(2.80 * math.sqrt((split.between + within / 16) / 4), rel=1e-3)
    assert pytest.approx(2.80, abs=0.005) == FACTOR


def test_samples_needed_find_just_the_difference_seen() -> None:
    rng = np.random.default_rng(17)
    accuracy = rng.beta(1, 1, 200)
    split = power(simulated(rng, accuracy, 8), simulated(rng, accuracy, 8), 8)
    needed = int(split.samples_needed(0.05))
    assert split.detectable(needed) <= 0.05 < split.detectable(needed - 1)
    assert split.samples_needed(0.0) == math.inf


def test_differences_below_what_questions_allow_need_more_questions() -> None:
    rng = np.random.default_rng(18)
    split = power(rng.beta(1, 1, 30), rng.beta(1, 1, 30), 8)
    assert split.samples_needed(0.01) == math.inf
    questions = split.questions_needed(0.01)
    assert split.detectable() * math.sqrt(30 / questions) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("rates", [np.zeros(30), np.ones(30), np.array([0.5])])
def test_runs_that_do_not_vary_do_not_tell_what_they_could_find(rates: np.ndarray) -> None:
    for samples in (1, 8):
        split = power(rates, rates, samples)
        assert math.isnan(split.detectable())
        assert math.isnan(split.samples_needed(0.1))
        assert math.isnan(split.questions_needed(0.1))


def test_single_samples_do_not_tell_which_k_would_do() -> None:
    split = power(np.array([0.0, 1, 1, 0]), np.array([1.0, 1, 0, 0]), 1)
    assert math.isnan(split.samples_needed(0.1))
    assert math.isnan(split.detectable(5))
    assert split.detectable() == pytest.approx(FACTOR * math.sqrt(2 / 3 / 4))


def test_vote_counts_put_the_right_class_first_and_abstentions_last() -> None:
    counts = vote_counts(np.array([[1, 2, 2, -1], [0, 0, 0, 1]]))
    assert counts.tolist() == [[0, 2, 1, 1], [3, 1, 0, 0]]

"""The intervals and tests against simulation, enumeration and scipy."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluators.analysis.bounded_mean import mean_covers, mean_interval
from evaluators.analysis.gamma_sums import probability_not_positive
from evaluators.analysis.paired import equivalence_p, paired_estimate, shift_tests
from evaluators.analysis.sign_flips import sign_flip_tails, two_sided
from scripts.simulate_intervals import Cell, SingleCell, interval_covers, line, paired_cells, single_cells, single_line

REPETITIONS = 1000


@lru_cache
def cells() -> list[Cell]:
    return list(paired_cells(REPETITIONS))


@lru_cache
def runs() -> list[SingleCell]:
    return list(single_cells(REPETITIONS))


def test_simulated_differences_are_covered_and_seldom_found_where_there_are_none() -> None:
    print("\n".join(map(line, cells())))
    assert min(cell.coverage for cell in cells()) >= 93
    assert max(cell.coverage for cell in cells() if cell.differ >= 10) <= 98.5 + margin(98.5)
    assert max(cell.rejections for cell in cells() if cell.effect == 0) <= 5 + margin(5)


def margin(percent: float) -> float:
    """Two and a half standard errors of a simulated percentage."""
    return 2.5 * math.sqrt(percent * (100 - percent) / REPETITIONS)


def test_simulated_intervals_never_contradict_their_p_values() -> None:
    for cell in cells():
        tests = shift_tests(cell.differences[:: max(1, len(cell.differences) // 12)])
        low, high = tests.intervals()
        assert (((low > 0) | (high < 0)) == (tests.p <= 0.05)).all()
        assert (low < high).all()
        inside = (low + 1e-6 < cell.truth) & (cell.truth < high - 1e-6)
        outside = (cell.truth < low - 1e-6) | (high + 1e-6 < cell.truth)
        covers = tests.covers(np.full(len(low), cell.truth))
        assert (covers | ~inside).all()
        assert (~covers | ~outside).all()


def test_simulated_intervals_of_single_runs() -> None:
    print("\n".join(map(single_line, runs())))
    assert min(run.coverage for run in runs()) >= 93
    assert max(run.coverage for run in runs() if run.rarer >= 10) <= 98.5 + margin(98.5)


def test_the_short_cut_of_the_simulation_decides_as_the_tests_do() -> None:
    rng = np.random.default_rng(3)
    rows = (rng.binomial(4, rng.beta(0.3, 0.6, (300, 12))) - rng.binomial(4, rng.beta(0.3, 0.9, (300, 12)))) / 4
    for truth in (-0.05, 0.1, 0.2):
        assert (interval_covers(rows, truth) == shift_tests(rows).covers(np.full(300, truth))).all()


@pytest.mark.parametrize("questions", [1, 5, 12])
def test_sign_flips_equal_the_enumeration_of_all_signs(questions: int) -> None:
    rng = np.random.default_rng(questions)
    signs = np.array(list(itertools.product((-1, 1), repeat=questions)))
    for unit in (1, 4, 16, 60):
        differences = rng.integers(-unit, unit + 1, questions) / unit
        exact = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9)
        assert two_sided(sign_flip_tails(differences[None]))[0] == pytest.approx(exact, rel=1e-9)


def test_sign_flips_equal_scipys_permutation_test() -> None:
    rng = np.random.default_rng(8)
    differences = rng.integers(-3, 5, 11) / 7
    expected = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert paired_estimate(differences).p == pytest.approx(expected.pvalue, rel=1e-9)


def test_many_kinds_of_credit_stay_within_reach_and_err_on_the_safe_side() -> None:
    rng = np.random.default_rng(9)
    differences = rng.choice([1, -1, 1 / 2, -1 / 3, 1 / 7, -1 / 11, 1 / 13, -1 / 17], 150)
    normal = 2 * stats.norm.sf(abs(differences.sum()) / math.sqrt((differences**2).sum()))
    # The normal value is an approximation itself, by about 0.001 for 150 questions.
    assert normal - 0.001 <= paired_estimate(differences).p <= normal + 0.05


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (9, 2), (3, 3), (40, 61)])
def test_single_samples_take_the_exact_mcnemar_test(gained: int, lost: int) -> None:
    differences = np.array([1.0] * gained + [-1.0] * lost + [0.0] * 7)
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert paired_estimate(differences).p == pytest.approx(expected)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (9, 2, 0.0654296875),
        (40, 61, 0.046044066929342785),
        (12, 0, 0.00048828125),
        (86, 150, 3.7159361395713866e-05),
        (59, 121, 4.4344492637551645e-06),
    ],
)
def test_single_samples_have_the_p_value_of_statsmodels(gained: int, lost: int, p: float) -> None:
    """`statsmodels.stats.contingency_tables.mcnemar(exact=True)` of statsmodels 0.15.0 gave these."""
    differences = np.array([1.0] * gained + [-1.0] * lost + [0.0] * 12)
    assert paired_estimate(differences).p == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize(
    ("right", "questions", "low", "high"),
    [(0, 12, 0.0, 0.2646484693970512), (7, 30, 0.09933786495801974, 0.4228365229782195)],
)
def test_single_runs_have_the_interval_of_statsmodels(right: int, questions: int, low: float, high: float) -> None:
    """`statsmodels.stats.proportion.proportion_confint(method="beta")` of statsmodels 0.15.0 gave these."""
    values = np.array([1.0] * right + [0.0] * (questions - right))
    assert mean_interval(values) == pytest.approx((low, high), abs=1e-8)


def test_mcnemar_and_interval_where_every_change_is_a_gain() -> None:
    """12 gained and none lost of 44: the upper end is Clopper and Pearson's of 12 in 44."""
    differences = np.array([1.0] * 12 + [0.0] * 32)
    (low, high), p = paired_estimate(differences)
    assert p == pytest.approx(2 * 0.5**12)
    assert 0.09 < low < 0.16
    assert high == pytest.approx(stats.beta.ppf(0.975, 13, 32), abs=1e-6)


@pytest.mark.parametrize(("successes", "trials"), [(0, 12), (7, 30), (30, 30), (1, 1)])
def test_single_samples_take_the_clopper_pearson_interval(successes: int, trials: int) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(method="exact")
    values = np.array([1.0] * successes + [0.0] * (trials - successes))
    assert mean_interval(values) == pytest.approx((expected.low, expected.high), abs=1e-8)


def test_many_questions_take_the_interval_of_a_bootstrap() -> None:
    rng = np.random.default_rng(4)
    differences = np.round(rng.normal(0.03, 0.15, 800) * 16) / 16
    expected = stats.bootstrap((differences,), np.mean, rng=rng).confidence_interval
    (low, high), _ = paired_estimate(differences)
    assert low == pytest.approx(expected.low, abs=0.001)
    assert high == pytest.approx(expected.high, abs=0.001)


def test_a_right_answer_more_never_claims_more_certainty_at_the_upper_end() -> None:
    """12 questions with 4 samples: 0, 1, 2, 3 of the 48 right."""
    highs = [mean_interval(np.array([right / 4] + [0.0] * 11)).high for right in range(4)]
    assert highs == sorted(highs)
    assert highs[0] == pytest.approx(1 - 0.025 ** (1 / 12))


@pytest.mark.parametrize("value", [-1.0, -0.25, 0.0, 0.25, 1.0])
@pytest.mark.parametrize("questions", [1, 2, 12])
def test_differences_without_spread_have_an_interval_of_some_width(value: float, questions: int) -> None:
    (low, high), p = paired_estimate(np.full(questions, value))
    assert -1 <= low <= value <= high <= 1
    assert high - low > 0.1
    assert p == pytest.approx(min(1.0, 2 * 0.5**questions) if value else 1.0)


def test_gamma_sums_equal_simulation() -> None:
    rng = np.random.default_rng(5)
    scales, shapes = np.array([[0.4, -0.3, 1.0, -0.9, 0.0]]), np.array([[3.0, 2.0, 1.0, 1.0, 4.0]])
    drawn = rng.gamma(shapes, size=(400_000, 5)) @ scales[0]
    assert probability_not_positive(scales, shapes)[0] == pytest.approx(np.mean(drawn <= 0), abs=0.003)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([-1, -0.5, -0.25, 0, 0, 0.25, 0.5, 1]), min_size=1, max_size=20))
def test_intervals_and_p_values_agree_and_turn_with_the_differences(steps: list[float]) -> None:
    differences = np.array(steps)
    (low, high), p = paired_estimate(differences)
    assert -1 <= low <= differences.mean() <= high <= 1
    assert (p <= 0.05) == (low > 0 or high < 0)
    turned = paired_estimate(-differences)
    assert turned.interval == pytest.approx((-high, -low), abs=1e-9)
    assert turned.p == pytest.approx(p)


def test_equivalence_needs_both_one_sided_tests() -> None:
    rng = np.random.default_rng(6)
    differences = np.round(rng.normal(0, 0.1, 200) * 16) / 16
    assert equivalence_p(differences, 0.03) <= 0.05 < equivalence_p(differences, 0.005)
    assert equivalence_p(np.zeros(12), 0.05) > 0.05


def test_coverage_of_single_runs_is_that_of_the_interval() -> None:
    values = np.random.default_rng(7).beta(0.4, 0.6, (20, 12))
    for row in values:
        low, high = mean_interval(row)
        for truth in np.linspace(0.05, 0.95, 19):
            assert bool(mean_covers(row[None], truth)[0]) == (low <= truth <= high)

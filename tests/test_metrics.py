"""Metrics against brute force: every subset enumerated, every vote counted."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.analysis import metrics

outcome = st.integers(min_value=-1, max_value=3)
samples_of_a_question = st.lists(outcome, min_size=1, max_size=9)


def brute_force_pass(row: Sequence[int], k: int) -> float:
    subsets = list(itertools.combinations(row, k))
    return sum(0 in subset for subset in subsets) / len(subsets)


def credit(subset: Sequence[int]) -> float:
    votes = Counter(group for group in subset if group != -1)
    if not votes:
        return 0.0
    tied = [group for group, count in votes.items() if count == max(votes.values())]
    return 1 / len(tied) if 0 in tied else 0.0


def brute_force_cons(row: Sequence[int], k: int) -> float:
    subsets = list(itertools.combinations(row, k))
    return sum(credit(subset) for subset in subsets) / len(subsets)


@given(samples_of_a_question)
def test_pass_at_every_k_equals_enumeration(row: list[int]) -> None:
    expected = [brute_force_pass(row, k) for k in range(1, len(row) + 1)]
    assert metrics.pass_curve(np.array([row]))[0] == pytest.approx(expected)


@settings(deadline=None)
@given(samples_of_a_question)
def test_cons_at_every_k_equals_enumeration_with_ties_and_abstentions(row: list[int]) -> None:
    expected = [brute_force_cons(row, k) for k in range(1, len(row) + 1)]
    assert metrics.cons_curve(np.array([row]))[0] == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0, 0, 1], [2 / 3, 2 / 3, 1]),  # k = 2: {0,0} 1, {0,1} 1/2 twice
        ([0, 1, 2], [1 / 3, 1 / 3, 1 / 3]),  # a tie of all three
        ([0, -1], [1 / 2, 1]),  # the sample without an answer abstains
        ([0, 1, 1], [1 / 3, 1 / 3, 0]),
        ([-1, -1], [0, 0]),
        ([1, 2], [0, 0]),
    ],
)
def test_cons_worked_out_by_hand(row: list[int], expected: list[float]) -> None:
    assert metrics.cons_curve(np.array([row]))[0] == pytest.approx(expected)


def test_cons_of_many_samples_against_drawn_subsets() -> None:
    rng = np.random.default_rng(5)
    row = np.repeat([0, 1, 2, 3, 4, -1], [14, 15, 9, 9, 9, 8])
    drawn = np.array([rng.permutation(row)[:21] for _ in range(20_000)])
    credits = [credit(subset.tolist()) for subset in drawn]
    error = np.std(credits) / math.sqrt(len(credits))
    assert abs(metrics.cons_curve(row[None])[0, 20] - np.mean(credits)) < 4 * error


def test_first_k_of_both_curves_is_avg_and_the_last_needs_no_subsets() -> None:
    classes = np.random.default_rng(1).integers(-1, 5, size=(40, 16))
    cons, passed, avg = metrics.cons_curve(classes), metrics.pass_curve(classes), metrics.accuracies(classes)
    assert cons[:, 0] == pytest.approx(avg)
    assert passed[:, 0] == pytest.approx(avg)
    assert cons[:, -1] == pytest.approx([credit(row.tolist()) for row in classes])
    assert (passed[:, -1] == (classes == 0).any(axis=1)).all()


@given(samples_of_a_question, st.randoms(use_true_random=False))
def test_order_of_samples_and_names_of_wrong_classes_do_not_matter(row: list[int], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = [{1: 3, 2: 1, 3: 2}.get(group, group) for group in random.sample(row, len(row))]
    assert metrics.cons_curve(np.array([row])).tolist() == metrics.cons_curve(np.array([shuffled])).tolist()


def test_pass_at_more_than_all_samples_is_undefined() -> None:
    assert np.isnan(metrics.pass_at_k(np.array([0, 3]), 4, 5)).all()
    assert metrics.pass_at_k(np.array([0, 1, 4]), 4, 2) == pytest.approx([0, 1 / 2, 1])


def test_a_thousand_samples_stay_finite() -> None:
    classes = np.repeat([0, 1, 2, -1], [400, 401, 99, 100])[None]
    curve = metrics.cons_curve(classes)[0]
    assert np.isfinite(curve).all()
    assert curve[-1] == 0
    assert curve[0] == pytest.approx(0.4)


def test_silent_samples_stay_in_the_denominator_and_bound_from_above() -> None:
    classes = np.array([[0, -1, -1, 1]])
    assert metrics.accuracies(classes).tolist() == [0.25]
    best = metrics.optimistic(classes, np.array([[False, True, True, False]]))
    assert metrics.accuracies(best).tolist() == [0.75]
    assert metrics.cons_curve(classes)[0, -1] == 0.5
    assert metrics.cons_curve(best)[0, -1] == 1


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=5), min_size=1, max_size=5))
def test_vote_credits_ignore_empty_classes(rows: list[list[int]]) -> None:
    width = max(len(row) for row in rows)
    votes = np.array([row + [0] * (width - len(row)) for row in rows])
    expected = [credit([group for group, count in enumerate(row) for _ in range(count)]) for row in rows]
    assert metrics.vote_credits(votes) == pytest.approx(expected)

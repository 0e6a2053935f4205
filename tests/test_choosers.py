"""Choosers against every subset, one by one; stopping against a simulation that draws sample after sample."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from evaluators.analysis import choosers, stopping, weighted_votes
from evaluators.analysis.metrics import RIGHT, SILENT, cons_curve

Question = list[tuple[int, float, int]]
"""(class, score, tokens) of each sample; few values, so that ties are common."""
QUESTIONS = st.lists(
    st.tuples(st.integers(-1, 3), st.sampled_from([0.5, 1.0, 1.5, 2.25]), st.integers(1, 4)), min_size=1, max_size=6
)


def expected(question: Question, k: int, choose: Callable[[Question], float]) -> float:
    """The mean over all subsets of k samples, which keep their order."""
    values = [choose([question[i] for i in part]) for part in combinations(range(len(question)), k)]
    return sum(values) / len(values)


def vote(weights: Sequence[tuple[int, float]]) -> float:
    """The right class's share in the win of (class, weight) votes."""
    totals: Counter[int] = Counter()
    for group, weight in weights:
        if group != SILENT:
            totals[group] += round(weight * 1e6)
    if not totals or totals[RIGHT] < max(totals.values()):
        return 0.0
    return 1 / sum(total == max(totals.values()) for total in totals.values())


def best(part: Question) -> float:
    voters = [(group, score) for group, score, _ in part if group != SILENT]
    top = [group for group, score in voters if score == max(s for _, s in voters)]
    return top.count(RIGHT) / len(top) if top else 0.0


def ranked(part: Question) -> Question:
    return sorted((sample for sample in part if sample[0] != SILENT), key=lambda sample: -sample[1])


def borda(part: Question) -> float:
    voters = ranked(part)
    return vote([(group, (len(voters) - rank) ** 0.3) for rank, (group, _, _) in enumerate(voters)])


def weighted(part: Question) -> float:
    return vote([(group, score) for group, score, _ in part])


def of_best(share: float) -> Callable[[Question], float]:
    def choose(part: Question) -> float:
        voters = ranked(part)
        return vote([(group, score) for group, score, _ in voters[: max(1, round(share * len(voters)))]])

    return choose


def arrays(question: Question) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    classes, scores, tokens = map(np.array, zip(*question, strict=True))
    return classes[None], scores[None], tokens[None]


@given(QUESTIONS)
def test_best_of_k(question: Question) -> None:
    classes, scores, _ = arrays(question)
    found = choosers.best_curve(classes, scores)[0]
    assert found == pytest.approx([expected(question, k, best) for k in range(1, len(question) + 1)])


@pytest.mark.parametrize(
    ("weights", "choose"),
    [
        (weighted_votes.borda, borda),
        (weighted_votes.by_score, weighted),
        *((weighted_votes.by_best(share), of_best(share)) for share in (0.1, 0.5, 0.9)),
    ],
    ids=["borda", "weighted", "deepconf_10", "deepconf_50", "deepconf_90"],
)
@given(question=QUESTIONS)
def test_weighted_votes(
    weights: weighted_votes.Weights, choose: Callable[[Question], float], question: Question
) -> None:
    classes, scores, _ = arrays(question)
    found = weighted_votes.weighted_curve(classes, scores, weights)[0]
    assert found == pytest.approx([expected(question, k, choose) for k in weighted_votes.sizes(len(question))])


@given(QUESTIONS)
def test_equal_weights_are_cons(question: Question) -> None:
    classes, scores, _ = arrays(question)
    found = weighted_votes.weighted_curve(classes, np.ones_like(scores), weighted_votes.by_score)[0]
    assert found == pytest.approx(cons_curve(classes)[0][[k - 1 for k in weighted_votes.sizes(len(question))]])


@pytest.mark.parametrize("m", [1, 2, 3])
@given(question=QUESTIONS)
def test_short_m(m: int, question: Question) -> None:
    def first(part: Question) -> Question:
        return sorted(part, key=lambda sample: sample[2])[:m]

    def credit(part: Question) -> float:
        return vote([(group, 1.0) for group, _, _ in first(part)])

    def tokens(part: Question) -> float:
        end = first(part)[-1][2]
        return sum(min(length, end) for _, _, length in part)

    classes, _, lengths = arrays(question)
    found = choosers.short_curve(classes, lengths, m)
    ks = range(1, len(question) + 1)
    assert found.credit[0] == pytest.approx([expected(question, k, credit) for k in ks])
    assert found.tokens[0] == pytest.approx([expected(question, k, tokens) for k in ks])


def test_large_subsets_are_near_what_they_stand_for() -> None:
    """40 of 80 questions' samples right, with scores that say nothing: the weighted vote is the plain one."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, size=(80, 24))
    sampled = weighted_votes.weighted_curve(classes, np.ones(classes.shape), weighted_votes.by_score)
    exact = cons_curve(classes)[:, [k - 1 for k in weighted_votes.sizes(24)]]
    assert np.abs(sampled.mean(axis=0) - exact.mean(axis=0)).max() < 0.02
    assert sampled[:, [0, -1]] == pytest.approx(exact[:, [0, -1]])


@given(st.lists(st.integers(-1, 2), min_size=1, max_size=14), st.integers(1, 5))
def test_esc_is_a_simulation(row: list[int], window: int) -> None:
    drawn: list[int] = []
    while len(drawn) < len(row):
        part = row[len(drawn) : len(drawn) + window]
        drawn += part
        if len(part) == window and len(set(part)) == 1 and part[0] != SILENT:
            break
    tokens = np.arange(1, len(row) + 1)[None]
    found = stopping.esc(np.array([row]), tokens, window)
    assert found.credit[0] == pytest.approx(vote([(group, 1.0) for group in drawn]))
    assert found.tokens[0] == tokens[0, : len(drawn)].sum()


@given(st.lists(st.integers(-1, 2), min_size=1, max_size=14))
def test_adaptive_consistency_is_a_simulation(row: list[int]) -> None:
    drawn: list[int] = []
    for group in row:
        drawn.append(group)
        votes = [*sorted(Counter(g for g in drawn if g != SILENT).values(), reverse=True), 0, 0]
        if majority_is_likely(votes[0], votes[1]) > 0.95:
            break
    tokens = np.arange(1, len(row) + 1)[None]
    found = stopping.adaptive_consistency(np.array([row]), tokens)
    assert found.credit[0] == pytest.approx(vote([(group, 1.0) for group in drawn]))
    assert found.tokens[0] == tokens[0, : len(drawn)].sum()


def majority_is_likely(first: int, second: int) -> float:
    """P(p > 1/2) for p with density p^v1 (1 - p)^v2, by integration."""

    def density(p: float) -> float:
        return float(p**first * (1 - p) ** second)

    return float(integrate.quad(density, 0.5, 1)[0] / integrate.quad(density, 0, 1)[0])


def test_deepconf_online_cuts_what_falls_below_the_bar() -> None:
    classes = np.array([[0, 0, 1, 1, 1]])
    tokens = np.array([[10, 10, 10, 10, 10]])
    flat, dip = np.full(6, 3.0), np.array([3.0, 3.0, 1.0, 3.0, 3.0, 3.0])
    found = stopping.deepconf_online(classes, tokens, [[flat, flat, flat, dip, dip]], share=0.9, warm_up=3)
    assert found.tokens[0] == 50 - 3 - 3
    assert found.credit[0] == 1.0
    whole = stopping.deepconf_online(classes, tokens, [[flat, flat, flat, dip, dip]], share=0.9)
    assert (whole.tokens[0], whole.credit[0]) == (50, 1.0)  # 6 against 3 + 1 + 1


@pytest.mark.parametrize(("votes", "power"), [(16, 0.3), (24, 0.75), (32, 1.2), (40, 1.2)])
def test_borda_of_many(votes: int, power: float) -> None:
    ranks = np.arange(1, 65)
    found = weighted_votes.borda(ranks, np.array([[votes]]), np.zeros((1, 64)))
    assert found[0, :votes] == pytest.approx([(votes - rank + 1) ** power for rank in range(1, votes + 1)])


def test_questions_together_are_questions_alone() -> None:
    rng = np.random.default_rng(1)
    classes, scores = rng.integers(-1, 30, size=(40, 20)), rng.integers(1, 6, size=(40, 20)) / 4
    classes[3], classes[5, :] = SILENT, RIGHT
    together = weighted_votes.weighted_curve(classes, scores, weighted_votes.borda)
    alone = [
        weighted_votes.weighted_curve(row[None], score[None], weighted_votes.borda)[0]
        for row, score in zip(classes, scores, strict=True)
    ]
    assert together == pytest.approx(np.array(alone))
    assert (together[3] == 0).all()
    assert (together[5] == 1).all()


def test_sizes() -> None:
    assert weighted_votes.sizes(1) == [1]
    assert weighted_votes.sizes(8) == [1, 2, 4, 8]
    assert weighted_votes.sizes(10) == [1, 2, 4, 8, 10]
    assert len(weighted_votes.subsets(8, 4)) == math.comb(8, 4)
    assert weighted_votes.subsets(64, 7).shape == (200, 7)
    assert all(len(set(part)) == 7 for part in weighted_votes.subsets(64, 7).tolist())

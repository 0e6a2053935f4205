"""Properties of equivalence and of its classes, on generated answers."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluators.grading import classes, equivalent, extract, grade

SHARED = Path(__file__).resolve().parents[2] / "shared"
ATOMS = st.one_of(
    st.integers(-1_000, 10_000).map(str),
    st.decimals(-99, 99, places=2).map(str),
    st.tuples(st.integers(-9, 9), st.integers(1, 9)).map(lambda p: rf"\frac{{{p[0]}}}{{{p[1]}}}"),
    st.tuples(st.integers(1, 9), st.integers(2, 30)).map(lambda p: rf"{p[0]}\sqrt{{{p[1]}}}"),
    st.tuples(st.integers(1, 99)).map(lambda p: rf"{p[0]}\%"),
    st.sampled_from(
        [
            "x",
            "x+1",
            "1+x",
            "2k",
            r"\pi",
            r"90^\circ",
            r"\text{even}",
            "(C)",
            r"\emptyset",
            "4343_6",
            r"\$5",
            "x=5",
            "y=2x",
        ]
    ),
    st.sampled_from(
        [
            r"5\text{ cm}",
            r"5\text{ m}",
            "4:30 pm",
            "4:30",
            "[1,2)",
            "1\\le x<2",
            r"\mathbb{R}",
            "1,234",
            r"3\pm\sqrt2",
            "1/0",
        ]
    ),
)
ANSWERS = st.one_of(
    ATOMS,
    st.lists(ATOMS, min_size=2, max_size=3).map(", ".join),
    st.lists(ATOMS, min_size=2, max_size=3).map(lambda items: "(" + ",".join(items) + ")"),
    st.lists(ATOMS, min_size=1, max_size=3).map(lambda items: r"\{" + ",".join(items) + r"\}"),
    st.text(max_size=12),
)


@given(ANSWERS)
@settings(max_examples=300, deadline=None)
def test_every_answer_equals_itself(answer: str) -> None:
    assert equivalent(answer, answer, "latex")


@given(ANSWERS, ANSWERS)
@settings(max_examples=400, deadline=None)
def test_equivalence_is_symmetric(a: str, b: str) -> None:
    assert equivalent(a, b, "latex") == equivalent(b, a, "latex")


@given(st.lists(st.none() | ANSWERS, max_size=7), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_classes_do_not_depend_on_the_order(answers: list[str | None], generator: random.Random) -> None:
    order = list(range(len(answers)))
    generator.shuffle(order)
    first, second = classes(answers, "latex"), classes([answers[i] for i in order], "latex")
    together = {(i, j): first[i] == first[j] for i in order for j in order}
    assert together == {
        (order[i], order[j]): second[i] == second[j] for i in range(len(order)) for j in range(len(order))
    }


@given(st.lists(st.none() | ANSWERS, max_size=7))
@settings(max_examples=100, deadline=None)
def test_classes_are_numbered_by_first_appearance(answers: list[str | None]) -> None:
    found = classes(answers, "latex")
    assert [c == -1 for c in found] == [a is None for a in answers]
    seen = list(dict.fromkeys(c for c in found if c >= 0))
    assert seen == list(range(len(seen)))


@given(st.fractions(max_denominator=500), st.fractions(max_denominator=500))
@settings(max_examples=200, deadline=None)
def test_fractions_are_equal_exactly_when_their_values_are(a: Fraction, b: Fraction) -> None:
    spelled = rf"\frac{{{b.numerator * 3}}}{{{b.denominator * 3}}}"
    assert equivalent(str(a), spelled, "latex") == (a == b)


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
@settings(max_examples=200, deadline=None)
def test_integers_are_equal_exactly_when_their_values_are(a: int, b: int) -> None:
    assert equivalent(str(a), f"{b:,}", "numeric") == (a == b)
    assert equivalent(f"{a:,}", f"{a}.00", "numeric")


@given(st.text(max_size=300), st.sampled_from(["integer", "numeric", "latex", "choice"]))
@settings(max_examples=400, deadline=None)
def test_no_text_raises(text: str, kind: Any) -> None:
    extract(text, kind)
    grade(rf"\boxed{{{text}}}", "5", kind)


@given(
    st.text(alphabet=r"\{}()[]|^_$&%,.:;=<>+-*/! 0123456789abcxesfrqtpini", max_size=60),
    st.sampled_from(["integer", "latex"]),
)
@example("a<i", "latex")
@settings(max_examples=500, deadline=None)
def test_no_formula_raises(text: str, kind: Any) -> None:
    assert equivalent(text, "17.5", kind) == equivalent("17.5", text, kind)
    assert equivalent(text, text, kind)


@pytest.mark.parametrize("a", [r"20\%", "20", "0.2", "20.0", "1/5"])
def test_a_chain_of_equivalent_answers_is_one_class(a: str) -> None:
    assert classes([a, r"20\%"], "latex") == [0, 0]
    assert classes(["20", "0.2"], "latex") == [0, 1]
    assert classes(["20", "0.2", r"20\%"], "latex") == [0, 0, 0]


@pytest.mark.skipif(not (SHARED / "data" / "math500.jsonl").exists(), reason="needs the MATH-500 golds")
def test_the_golds_of_math_500_equal_themselves_and_no_other() -> None:
    lines = (SHARED / "data" / "math500.jsonl").read_text("utf-8").splitlines()
    golds = sorted({json.loads(line)["answer"] for line in lines})
    for gold in golds:
        for written in (
            gold,
            gold.replace(r"\frac", r"\dfrac"),
            gold.replace(r"\left", "").replace(r"\right", ""),
            f" {gold} .",
        ):
            assert grade(rf"So the answer is $\boxed{{{written}}}$.", gold, "latex").status == "correct", gold
    generator = random.Random(0)
    pairs = [tuple(generator.sample(golds, 2)) for _ in range(4_000)]
    known = {frozenset(p) for p in (("120^\\circ", "120"), ("1,-2", "-2,1"), ("(-2,1)", "-2,1"), ("x=5", "5"))}
    spelled = [{_plain(a), _plain(b)} for a, b in pairs if equivalent(a, b, "latex") and {a, b} not in known]
    assert all(len(values) == 1 for values in spelled), spelled


def _plain(gold: str) -> str:
    for mark in (" ", r"\!", ",", r"\$", r"^\circ", "{", "}", r"\mbox{ cm}^2"):
        gold = gold.replace(mark, "")
    return gold.removesuffix(r"\mboxcm^2")


@pytest.mark.skipif(not (SHARED / "grading" / "dev.jsonl").exists(), reason="needs the labelled answers")
def test_the_labelled_answers_have_their_labels() -> None:
    from evaluators.grading.__main__ import kind_of

    lines = (SHARED / "grading" / "dev.jsonl").read_text("utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    verdicts = [grade(c["response"], c["gold"], kind_of(c["benchmark_kind"], c["gold"])) for c in cases]
    wrong = [c["id"] for c, v in zip(cases, verdicts, strict=True) if (v.status == "correct") != c["correct"]]
    assert len(wrong) <= 0.01 * len(cases), wrong
    assert sum(v.status == "correct" and not c["correct"] for c, v in zip(cases, verdicts, strict=True)) <= 1
    assert all(v.status == "no_answer" for c, v in zip(cases, verdicts, strict=True) if c.get("no_answer"))


_NUMBERS = st.sampled_from(
    ["1", "01", "2", "-2", "1/2", "2/4", r"\frac{1}{2}", "4/2", "1/0", "1 + 1", "0.5", "x", "two"]
)


@given(st.lists(_NUMBERS, max_size=8))
@settings(max_examples=60, deadline=None)
def test_numbers_are_told_apart_by_their_values_as_by_comparing_each_pair(answers: list[str]) -> None:
    found = classes(answers, "numeric")
    for i, a in enumerate(answers):
        for j, b in enumerate(answers):
            assert not equivalent(a, b, "numeric") or found[i] == found[j]
    by_pairs = list(range(len(answers)))
    for i, a in enumerate(answers):
        for j, b in enumerate(answers):
            if equivalent(a, b, "numeric"):
                by_pairs = [by_pairs[i] if number == by_pairs[j] else number for number in by_pairs]
    numbers: dict[int, int] = {}
    assert found == [numbers.setdefault(number, len(numbers)) for number in by_pairs]

"""Pairs with a fixed seed: equal forms are equal, changed ones are different; labelled answers in pairs."""

from __future__ import annotations

import itertools
import json
import random
from functools import cache
from pathlib import Path

import pytest
import sympy
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from evaluators.grading import classes, equivalent
from evaluators.grading.answer.extract import extract
from evaluators.grading.equivalence import compare
from evaluators.grading.grade import grade

GRADING = Path(__file__).resolve().parents[2] / "shared" / "grading"
X, Y, N = sympy.symbols("x y n")
LEAVES = st.one_of(
    st.integers(-9, 9).map(sympy.Integer),
    st.builds(sympy.Rational, st.integers(-9, 9), st.integers(1, 9)),
    st.sampled_from([X, X, Y, sympy.pi, sympy.sqrt(2), sympy.sqrt(3)]),
)


def larger(children: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
    return st.one_of(
        st.builds(sympy.Add, children, children),
        st.builds(sympy.Mul, children, children),
        st.builds(lambda a, b: sympy.Add(a, sympy.Mul(-1, b)), children, children),
        st.builds(sympy.Pow, children, st.integers(2, 3)),
        st.builds(lambda a: 1 / (a**2 + 1), children),
        st.builds(sympy.sin, children),
        st.builds(lambda a: sympy.exp(sympy.sin(a)), children),
    )


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=5)
REWRITES = {
    "expand": sympy.expand,
    "factor": sympy.factor,
    "together": sympy.together,
    "trigonometric": sympy.expand_trig,
    "plus and minus": lambda e: sympy.Add(e + Y, -Y, evaluate=False),
    "doubled": lambda e: sympy.Mul(2, e / 2, evaluate=False),
}
CHANGES = {
    "plus one": lambda e: e + 1,
    "a small number": lambda e: e + sympy.Rational(1, 10**30),
    "times two, plus one": lambda e: 2 * e + 1 if sympy.simplify(e + 1) != 0 else e + 3,
    "x more": lambda e: e + X,
    "opposite": lambda e: -e if sympy.simplify(e) != 0 else e + 1,
}


def written(expression: sympy.Expr) -> str:
    return str(sympy.latex(expression))


@seed(18)
@given(EXPRESSIONS, st.sampled_from(sorted(REWRITES)))
@settings(max_examples=1000, deadline=None)
def test_a_rewritten_form_is_equal(expression: sympy.Expr, name: str) -> None:
    a, b = written(expression), written(REWRITES[name](expression))
    assert equivalent(a, b, "latex"), (name, a, b)
    assert equivalent(b, a, "latex"), (name, b, a)


@seed(18)
@given(EXPRESSIONS, st.sampled_from(sorted(CHANGES)))
@settings(max_examples=1000, deadline=None)
def test_a_changed_form_is_different(expression: sympy.Expr, name: str) -> None:
    a, b = written(expression), written(sympy.expand(CHANGES[name](expression)))
    assert not equivalent(a, b, "latex"), (name, a, b)
    assert not equivalent(b, a, "latex"), (name, b, a)


@cache
def labelled_answers() -> list[str]:
    """The golds and extracted answers of the labelled cases that are graded as mathematics."""
    from evaluators.grading.__main__ import kind_of

    found: dict[str, None] = {}
    for name in ("dev.jsonl", "dev2.jsonl"):
        for line in (GRADING / name).read_text("utf-8").splitlines():
            case = json.loads(line)
            if kind_of(case["benchmark_kind"], case["gold"]) != "latex":
                continue
            for text in (case["gold"], extract(case["response"], "latex")):
                if text is not None and len(text) < 300:
                    found.setdefault(text)
    return list(found)


@pytest.mark.skipif(not (GRADING / "dev2.jsonl").exists(), reason="needs the labelled answers")
def test_labelled_answers_compare_symmetrically_and_their_classes_hold_together() -> None:
    answers = labelled_answers()
    generator = random.Random(0)
    pairs = [generator.sample(answers, 2) for _ in range(1_500)]
    equal = {(a, b): compare(a, b, "latex") == "equal" for a, b in pairs}
    assert all((compare(b, a, "latex") == "equal") == same for (a, b), same in equal.items())
    few = generator.sample(answers, 60)
    found = dict(zip(few, classes(few, "latex"), strict=True))
    again = dict(zip(few[::-1], classes(few[::-1], "latex"), strict=True))
    assert all(
        (found[a] == found[b]) == (again[a] == again[b]) and (found[a] == found[b] or compare(a, b, "latex") != "equal")
        for a, b in itertools.combinations(few, 2)
    )


@pytest.mark.skipif(not (GRADING / "dev2.jsonl").exists(), reason="needs the labelled answers")
def test_the_new_labelled_pairs_have_their_labels() -> None:
    from evaluators.grading.__main__ import kind_of

    lines = (GRADING / "dev2.jsonl").read_text("utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    verdicts = [grade(c["response"], c["gold"], kind_of(c["benchmark_kind"], c["gold"])) for c in cases]
    wrong = [c["id"] for c, v in zip(cases, verdicts, strict=True) if (v.status == "correct") != c["correct"]]
    left_open = [c["id"] for c, v in zip(cases, verdicts, strict=True) if v.reader == "neither"]
    assert len(set(wrong) - set(left_open)) <= 0.01 * len(cases), wrong
    assert sum(v.status == "correct" and not c["correct"] for c, v in zip(cases, verdicts, strict=True)) <= 1

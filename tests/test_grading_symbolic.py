"""The second reader: what it decides, what it refuses, and that no text is evaluated on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluators.grading import GradingPool, Verdict, grade
from evaluators.grading.equivalence import compare
from evaluators.grading.symbolic.bounds import is_bounded

ROOT = Path(__file__).resolve().parents[1]
EQUAL = [
    (r"\frac13", r"\int_0^1 x^2\,dx"),
    ("1", r"\lim_{x\to 0}\frac{\sin x}{x}"),
    (r"\frac{\pi^2}{6}", r"\sum_{k=1}^{\infty}\frac{1}{k^2}"),
    ("e", r"\sum_{n=0}^{\infty}\frac{1}{n!}"),
    (r"\sqrt\pi", r"\int_{-\infty}^{\infty} e^{-x^2}dx"),
    (r"\frac{x^3}{3}+C", r"\int x^2 dx"),
    ("(-2,2)", "x^2<4"),
    (r"(-\infty,-2)\cup(1,\infty)", r"\frac{x-1}{x+2}>0"),
    (r"\begin{pmatrix}7&10\\15&22\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}^2"),
    (r"\begin{pmatrix}1\\3\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}\begin{pmatrix}1\\0\end{pmatrix}"),
    ("2^n", r"\sum_{k=0}^{n}\binom{n}{k}"),
    ("2x", r"\frac{d}{dx} x^2"),
]
DIFFERENT = [
    (r"\frac13", r"\int_0^1 x^3\,dx"),
    ("0", r"\lim_{x\to 0}\frac{\sin x}{x}"),
    (r"\frac{\pi^2}{8}", r"\sum_{k=1}^{\infty}\frac{1}{k^2}"),
    (r"\frac{x^3}{3}", r"\int x^2 dx"),
    ("[-2,2]", "x^2<4"),
    (r"\begin{pmatrix}1&4\\9&16\end{pmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}^2"),
    (r"\frac{1}{1002}", r"\int_0^1 x^{1000}\,dx"),
]
CODE = [
    '__import__("os").system("touch {path}")',
    "open('{path}','w')",
    r"\int_0^1 __import__('os').system('touch {path}') dx",
    r"\int_0^1 open('{path}','w') dx",
    r"\lim_{{x\to 0}} exec(\"open('{path}','w')\")",
    r"\sum_{{k=1}}^{{\infty}} eval(\"open('{path}','w')\")",
    r"x^2 < open('{path}','w')",
    r"\begin{{pmatrix}}1\end{{pmatrix}}^{{open('{path}','w')}}",
]


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    with GradingPool(workers=1, limit=20, second_limit=30) as pool:
        yield pool


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal_in_either_order_by_the_second_reader(gold: str, answer: str, pool: GradingPool) -> None:
    for a, b in ((gold, answer), (answer, gold)):
        assert compare(a, b, "latex") == "undecided"
        assert pool.submit(rf"\boxed{{{b}}}", a, "latex").result() == Verdict("correct", b, "symbolic")


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_different_in_either_order(gold: str, answer: str, pool: GradingPool) -> None:
    for a, b in ((gold, answer), (answer, gold)):
        assert pool.submit(rf"\boxed{{{b}}}", a, "latex").result().status == "incorrect"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"1-\frac{1}{2023!}", r"1-\frac{1}{2024!}"),
        (r"\cos 60^\circ", r"\cos 60"),
        (r"\{1,2\}", "(1,2)"),
        (r"5\text{ cm}", r"5\text{ cm}^2"),
        ("m+n=7", "7"),
        ("A^T", "A"),
        (r"\text{even}", r"\text{odd}"),
        ("PQR", "RQP"),
        ("3", "4"),
    ],
)
def test_never_asked_where_the_first_decided(gold: str, answer: str) -> None:
    assert compare(gold, answer, "latex") == "different"
    assert compare(answer, gold, "latex") == "different"


@pytest.mark.parametrize(
    "text",
    [
        "9" * 100,
        "2^{3^{4^{5}}}",
        "(" * 30 + "x" + ")" * 30,
        r"x+" * 300 + "x",
        r"\operatorname{foo}(x)",
        r"\text{when } x = 1",
        "import os",
        r"\begin{array}{c}1\end{array}",
        "f'(x)",
        "30^\\circ",
    ],
)
def test_what_is_too_large_or_not_read_right_is_not_given_to_it(text: str) -> None:
    assert not is_bounded(text)


def test_without_a_second_reader_what_is_open_is_incorrect_by_neither() -> None:
    assert grade(r"\boxed{\int_0^1 x^2\,dx}", r"\frac13", "latex") == Verdict(
        "incorrect", r"\int_0^1 x^2\,dx", "neither"
    )


@pytest.mark.parametrize("template", [r"\boxed{{{0}}}", "The answer is ${0}$."])
def test_code_is_never_run_by_either_reader(template: str, tmp_path: Path, pool: GradingPool) -> None:
    for code in CODE:
        written = code.format(path=tmp_path / "touched")
        for gold in (r"\int_0^1 x dx", "5", written):
            verdict = pool.submit(template.format(written), gold, "latex").result()
            assert verdict.status != "correct" or gold == written
    assert list(tmp_path.iterdir()) == []


def test_strings_that_reach_sympy_are_refused() -> None:
    code = (
        "import evaluators.grading.symbolic.reading, sympy\n"
        "for text in ('exec(1)', '__import__(1)', 'x', '2*3'):\n"
        "    try:\n"
        "        sympy.sympify(text)\n"
        "    except Exception:\n"
        "        continue\n"
        "    print('evaluated', text)\n"
        "print(sympy.sympify('3/2') == sympy.Rational(3, 2), sympy.Number('12') == 12)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"


def test_classes_use_both_readers(pool: GradingPool) -> None:
    answers = [r"\frac13", r"\int_0^1 x^2\,dx", "1/3", r"\int_0^1 x^3\,dx", None, "0.25"]
    assert pool.classes(answers, "latex") == [0, 0, 0, 1, -1, 1]
    backwards = pool.classes(answers[::-1], "latex")
    assert backwards == [0, -1, 0, 1, 1, 1]


def test_second_readers_bombs_cost_only_themselves() -> None:
    slow = r"\int_0^1 \frac{\ln(1+x+x^{17}+\sin x)}{\sqrt{1+x^{31}}}e^{\cos(x^7+x)} dx"
    with GradingPool(workers=1, limit=20, second_limit=0.2) as pool:
        verdicts = [pool.submit(rf"\boxed{{{text}}}", "1", "latex").result() for text in ("1", slow, "1", slow, "1")]
    assert [v.status for v in verdicts] == ["correct", "timeout", "correct", "timeout", "correct"]

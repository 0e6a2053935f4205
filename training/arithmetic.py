"""Questions like those of the benchmark `mini`, drawn by a seed, and worked examples of them in PASR's tags.

None of them is a question of `mini`, so that a model trained on these can be evaluated on those.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from evaluators.benchmarks.dataset_rows import file_rows
from evaluators.benchmarks.questions import EMBEDDED

NAMES = ("Ada", "Leo", "Mia", "Noah", "Ruth", "Hugo", "Iris", "Omar", "Vera", "Karl")
THINGS = ("apples", "books", "coins", "shells", "stamps", "pens", "cards", "buttons")
REFINED = 0.5
"""Share of the examples that refine; in half of these the first attempt was wrong, in the others it is confirmed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A question, the steps to its answer, and the answer."""

    text: str
    steps: tuple[tuple[str, int], ...]
    """Each step as an expression and its value; the last value is the answer."""

    @property
    def answer(self) -> int:
        """The value of the last step."""
        return self.steps[-1][1]


@dataclass(frozen=True, slots=True)
class Example:
    """A question and a response in tags that a model learns the format from."""

    problem: str
    response: str


def problems(count: int, seed: int) -> list[Problem]:
    """That many different problems, none of which is in `mini`; a seed's first ones are the same for every count."""
    draw = random.Random(f"problems {seed}")
    seen = {str(row["problem"]) for row in file_rows(EMBEDDED / "mini.jsonl")}
    found: list[Problem] = []
    while len(found) < count:
        problem = draw.choice(_MAKERS)(draw)
        if problem.text not in seen:
            seen.add(problem.text)
            found.append(problem)
    return found


def examples(count: int, seed: int) -> list[Example]:
    """Worked examples of the seed's first problems."""
    draw = random.Random(f"examples {seed}")
    return [Example(problem.text, _response(problem, draw)) for problem in problems(count, seed)]


def _response(problem: Problem, draw: random.Random) -> str:
    steps = [f"{expression} = {value}." for expression, value in problem.steps]
    last, value = problem.steps[-1]
    if draw.random() >= REFINED:
        thinking = " ".join(steps)
    elif draw.random() < 0.5:
        thinking = f"{' '.join(steps)} <refine>{last} is {value}, right.</refine>"
    else:
        wrong = value + draw.choice([-10, -2, -1, 1, 2, 10])
        first = " ".join([*steps[:-1], f"{last} = {wrong}."])
        thinking = f"{first} <refine>Not {wrong}: {last} is {value}.</refine>"
    return f"<think>{thinking}</think><answer>{value}</answer>"


def _sum(draw: random.Random) -> Problem:
    a, b = draw.randint(2, 40), draw.randint(2, 40)
    return Problem(f"What is {a} + {b}?", ((f"{a} + {b}", a + b),))


def _difference(draw: random.Random) -> Problem:
    b = draw.randint(2, 30)
    a = b + draw.randint(1, 30)
    return Problem(f"What is {a} - {b}?", ((f"{a} - {b}", a - b),))


def _product(draw: random.Random) -> Problem:
    a, b = draw.randint(2, 12), draw.randint(2, 12)
    return Problem(f"What is {a} times {b}?", ((f"{a} * {b}", a * b),))


def _quotient(draw: random.Random) -> Problem:
    b, q = draw.randint(2, 10), draw.randint(2, 12)
    return Problem(f"What is {b * q} divided by {b}?", ((f"{b * q} / {b}", q),))


def _product_and_sum(draw: random.Random) -> Problem:
    a, b, c = draw.randint(2, 10), draw.randint(2, 10), draw.randint(1, 20)
    return Problem(f"What is {a} times {b}, plus {c}?", ((f"{a} * {b}", a * b), (f"{a * b} + {c}", a * b + c)))


def _more(draw: random.Random) -> Problem:
    name, thing, a, b = draw.choice(NAMES), draw.choice(THINGS), draw.randint(3, 30), draw.randint(2, 20)
    text = f"{name} has {a} {thing} and gets {b} more. How many {thing} does {name} have now?"
    return Problem(text, ((f"{a} + {b}", a + b),))


def _fewer(draw: random.Random) -> Problem:
    name, thing, b = draw.choice(NAMES), draw.choice(THINGS), draw.randint(2, 20)
    a = b + draw.randint(1, 20)
    text = f"{name} has {a} {thing} and gives away {b}. How many {thing} are left?"
    return Problem(text, ((f"{a} - {b}", a - b),))


def _boxes(draw: random.Random) -> Problem:
    thing, a, b = draw.choice(THINGS), draw.randint(2, 10), draw.randint(2, 12)
    text = f"There are {a} boxes with {b} {thing} in each box. How many {thing} are there?"
    return Problem(text, ((f"{a} * {b}", a * b),))


def _shared(draw: random.Random) -> Problem:
    thing, b, q = draw.choice(THINGS), draw.randint(2, 8), draw.randint(2, 10)
    text = f"{b * q} {thing} are shared equally by {b} children. How many {thing} does each child get?"
    return Problem(text, ((f"{b * q} / {b}", q),))


def _cost(draw: random.Random) -> Problem:
    thing, a, b, c = draw.choice(THINGS), draw.randint(2, 6), draw.randint(2, 9), draw.randint(2, 15)
    name = draw.choice(NAMES)
    text = f"{name} buys {a} {thing} for {b} dollars each and a bag for {c} dollars. How many dollars is that?"
    return Problem(text, ((f"{a} * {b}", a * b), (f"{a * b} + {c}", a * b + c)))


_MAKERS: tuple[Callable[[random.Random], Problem], ...] = (
    _sum,
    _difference,
    _product,
    _quotient,
    _product_and_sum,
    _more,
    _fewer,
    _boxes,
    _shared,
    _cost,
)

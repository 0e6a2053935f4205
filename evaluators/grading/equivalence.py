"""Equivalence of two answers given as text, and the classes that it makes of many."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.algebra.clean import clean, key
from evaluators.grading.algebra.compare import same
from evaluators.grading.algebra.nodes import Node, Quantity
from evaluators.grading.algebra.openness import is_open
from evaluators.grading.algebra.values import rounds_to
from evaluators.grading.algebra.words import normal_words, same_time, time_of_day
from evaluators.grading.answer import choice
from evaluators.grading.readings import readings
from evaluators.grading.symbolic.bounds import is_bounded

_SIMPLE = re.compile(r"(-?)(?:(\d{1,300})|\\frac ?\{?(\d{1,300})\}\{?(\d{1,300})\}|(\d{1,300})/(\d{1,300}))$")
_WORDS = re.compile(r"""(?=.*[^\W\d_])[\w\s.,'"%:?!]*""")
_BRACES = str.maketrans("{}", "  ")


Decision = Literal["equal", "different", "undecided"]
SecondReader = Callable[[str, str], bool | None]
"""Whether two cleaned answers are equal, None where it cannot decide either; symmetric."""
_MAX_OPEN = 12
"""Open answers of one question that the second reader compares with the others."""


def equivalent(gold: str, answer: str, kind: AnswerKind, second: SecondReader | None = None) -> bool:
    """Whether two answers are the same. Reflexive and symmetric; bounded in size; a pool bounds its time.

    Without a second reader, what the exact one cannot decide is not the same.
    """
    decision = compare(gold, answer, kind)
    if decision == "undecided" and second is not None:
        return second(clean(gold), clean(answer)) is True
    return decision == "equal"


def compare(gold: str, answer: str, kind: AnswerKind) -> Decision:  # noqa: PLR0911 -- a ladder of readings
    """What the exact reader says of two answers; "undecided" asks for the second one."""
    if kind == "choice":
        same_letters = choice.letters(gold) is not None and choice.letters(gold) == choice.letters(answer)
        return "equal" if gold == answer or same_letters else "different"
    a, b = clean(gold), clean(answer)
    if key(a) == key(b):
        return "equal"
    simple = _simple(a), _simple(b)
    if simple[0] is not None and simple[1] is not None:
        return "equal" if simple[0] == simple[1] else "different"
    times = time_of_day(a), time_of_day(b)
    if times[0] is not None and times[1] is not None:
        return "equal" if same_time(times[0], times[1]) else "different"
    nodes_a, nodes_b = readings(a, kind), readings(b, kind)
    if any(same(x, y) for x in nodes_a for y in nodes_b):
        return "equal"
    if (not nodes_a or not nodes_b) and _same_words(a, b):
        return "equal"
    return "undecided" if _leaves_open(a, kind) or _leaves_open(b, kind) else "different"


def _leaves_open(text: str, kind: AnswerKind) -> bool:
    """Whether an answer is a formula that the exact reader could not read or not work out."""
    nodes = readings(text, kind)
    return is_bounded(text) and (not nodes or any(is_open(node) for node in nodes))


def meets_decimal(gold: str, answer: str, kind: AnswerKind) -> bool:
    """Whether the gold is a decimal and the answer, given more exactly, rounds to it."""
    if kind == "choice" or "." not in gold:
        return False
    pairs = ((x, y) for x in readings(clean(gold), kind) for y in readings(clean(answer), kind))
    return any(rounds_to(_value(y), _value(x)) for x, y in pairs)


def classes(answers: Sequence[str | None], kind: AnswerKind, second: SecondReader | None = None) -> list[int]:
    """The class of each answer: -1 for none, else 0, 1, ... by first appearance.

    Two answers share a class when a chain of equivalent answers joins them; so the order does not matter. The second
    reader is asked only where few of the answers leave something open.
    """
    distinct = list(dict.fromkeys(answer for answer in answers if answer is not None))
    if second is not None and kind != "choice" and sum(_leaves_open(clean(a), kind) for a in distinct) > _MAX_OPEN:
        second = None
    parent = {answer: answer for answer in distinct}

    def root(answer: str) -> str:
        while parent[answer] != answer:
            answer = parent[answer]
        return answer

    values = {} if kind == "choice" else {a: value for a in distinct if (value := _simple(clean(a))) is not None}
    first: dict[Fraction, str] = {}
    for answer, value in values.items():
        parent[answer] = first.setdefault(value, answer)
    for index, answer in enumerate(distinct):
        for other in distinct[:index]:
            if answer in values and other in values:
                continue  # told by their values, which are different where they are not joined already
            if root(other) != root(answer) and equivalent(other, answer, kind, second):
                parent[root(answer)] = root(other)
    numbers: dict[str, int] = {}
    return [-1 if a is None else numbers.setdefault(root(a), len(numbers)) for a in answers]


def _simple(text: str) -> Fraction | None:
    """Integers and simple fractions, the common answers, without a parser."""
    match = _SIMPLE.match(text)
    if match is None:
        return None
    sign, whole, above, below, over, under = match.groups()
    bottom = int(below or under or 1)
    if bottom == 0:
        return None
    return Fraction(int(whole or above or over), bottom) * (-1 if sign else 1)


def _same_words(a: str, b: str) -> bool:
    """Text that is no mathematics is compared by its words."""
    plain = [text.replace("\\text", " ").translate(_BRACES) for text in (a, b)]
    if not all(_WORDS.fullmatch(text) and len(text) < 400 for text in plain):
        return False
    return normal_words(plain[0]) == normal_words(plain[1])


def _value(node: Node) -> Node:
    return node.value if isinstance(node, Quantity) else node

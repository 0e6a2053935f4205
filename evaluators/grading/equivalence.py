"""Equivalence of two answers given as text, and the classes that it makes of many."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.algebra.clean import clean, key
from evaluators.grading.algebra.compare import same
from evaluators.grading.algebra.limits import MAX_ANSWER, NotMathError
from evaluators.grading.algebra.nodes import Node, Quantity
from evaluators.grading.algebra.parser import parse
from evaluators.grading.algebra.values import rounds_to
from evaluators.grading.algebra.words import normal_words, time_of_day
from evaluators.grading.answer import choice

_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,]*\d)")
_SPACED = re.compile(r"^[^\d]{0,2}\d{1,3}(?: \d{3})+(?:\.\d+)?(?![\d/])")
_OPTION = re.compile(r"(?:\\text ?\{ ?)?\(([A-J])\)[ }]+[^ ^_]")
_DECIMAL_COMMA = re.compile(r"^-?(?:\d+|\d{1,3}(?:\.\d{3})+),\d{1,2}$")
_SIMPLE = re.compile(r"(-?)(?:(\d{1,300})|\\frac ?\{?(\d{1,300})\}\{?(\d{1,300})\}|(\d{1,300})/(\d{1,300}))$")
_WORDS = re.compile(r"""(?=.*[^\W\d_])[\w\s.,'"%:?!]*""")
_BRACES = str.maketrans("{}", "  ")


def equivalent(gold: str, answer: str, kind: AnswerKind) -> bool:
    """Whether two answers are the same. Reflexive and symmetric; bounded in size; a pool bounds its time."""
    if kind == "choice":
        return gold == answer or (choice.letters(gold) is not None and choice.letters(gold) == choice.letters(answer))
    a, b = clean(gold), clean(answer)
    if key(a) == key(b):
        return True
    simple = _simple(a), _simple(b)
    if simple[0] is not None and simple[1] is not None:
        return simple[0] == simple[1]
    times = time_of_day(a), time_of_day(b)
    if times[0] is not None and times[1] is not None and (times[0][2] or times[1][2]):
        return times[0][:2] == times[1][:2] and (None in (times[0][2], times[1][2]) or times[0] == times[1])
    nodes_a, nodes_b = readings(a, kind), readings(b, kind)
    if not nodes_a or not nodes_b:
        return _same_words(a, b)
    return any(same(x, y) for x in nodes_a for y in nodes_b)


def meets_decimal(gold: str, answer: str, kind: AnswerKind) -> bool:
    """Whether the gold is a decimal and the answer, given more exactly, rounds to it."""
    if kind == "choice" or "." not in gold:
        return False
    pairs = ((x, y) for x in readings(clean(gold), kind) for y in readings(clean(answer), kind))
    return any(rounds_to(_value(y), _value(x)) for x, y in pairs)


def classes(answers: Sequence[str | None], kind: AnswerKind) -> list[int]:
    """The class of each answer: -1 for none, else 0, 1, ... by first appearance.

    Two answers share a class when a chain of equivalent answers joins them; so the order does not matter.
    """
    distinct = list(dict.fromkeys(answer for answer in answers if answer is not None))
    parent = {answer: answer for answer in distinct}

    def root(answer: str) -> str:
        while parent[answer] != answer:
            answer = parent[answer]
        return answer

    for index, answer in enumerate(distinct):
        for other in distinct[:index]:
            if root(other) != root(answer) and equivalent(other, answer, kind):
                parent[root(answer)] = root(other)
    numbers: dict[str, int] = {}
    return [-1 if a is None else numbers.setdefault(root(a), len(numbers)) for a in answers]


@lru_cache(maxsize=4096)
def readings(text: str, kind: AnswerKind) -> tuple[Node, ...]:
    """Every way in which a cleaned answer can be read; a comma may part a list or thousands."""
    found: list[Node] = []
    for spelling in _spellings(text, kind):
        try:
            node = parse(spelling)
        except (NotMathError, RecursionError):
            continue
        if node not in found:
            found.append(node)
    return tuple(found)


def _spellings(text: str, kind: AnswerKind) -> list[str]:
    if len(text) > MAX_ANSWER:
        return []
    option = _OPTION.match(text)
    if option is not None:
        return [option.group(1)]
    if _SPACED.match(text):
        return [_SPACED.sub(lambda m: m.group().replace(" ", ""), text)]
    if kind in ("numeric", "integer") and _DECIMAL_COMMA.match(text):
        return [text.replace(".", "").replace(",", ".")]
    grouped = _GROUPED.sub(lambda m: m.group().replace(",", ""), text)
    if grouped == text:
        return [text]
    return [grouped] if kind in ("numeric", "integer") else [grouped, text]


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

r"""What `\ldots` stands for: a progression in a list, the terms of a sum or a product."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from evaluators.grading.algebra.exact import rational
from evaluators.grading.algebra.limits import NoValueError
from evaluators.grading.algebra.nodes import Call, Node, Num, Sym, variables
from evaluators.grading.algebra.rewrite import rename, substitute

DOTS = Sym("ldots")
_MAX_ITEMS = 300
_STARTS = (1, 0, 2)
"""Values of a sum's variable at its first term."""


def series(op: str, terms: Sequence[Node]) -> Node:
    r"""`1 + 4 + \ldots + n^2` as a sum where its terms say which, else terms in their order (op "sum" or "prod")."""
    position = terms.index(DOTS)
    first, last = terms[:position], terms[position + 1 :]
    if len(first) >= 2 and len(last) == 1:
        found = _symbolic(op, first, last[0]) or _numeric(op, first, last[0])
        if found is not None:
            return found
    return Call("ellipsis", (Sym(op), *terms))


def items(listed: Sequence[Node]) -> tuple[Node, ...]:
    r"""`1, 2, \ldots, 10` written out; where that cannot be, one node that keeps the order."""
    position = listed.index(DOTS)
    values = [_value(item) for item in listed[:position]], [_value(item) for item in listed[position + 1 :]]
    if position and None not in (*values[0], *values[1]):
        progression = _progression([v for v in values[0] if v is not None], [v for v in values[1] if v is not None])
        if progression is not None:
            return tuple(Num(value) for value in progression)
        if len(values[0]) >= 3 and not values[1] and _is_arithmetic(values[0]):
            return (Call("progression", (listed[0], Call("sub", (listed[1], listed[0])))),)
    return (Call("ellipsis", (Sym("list"), *listed)),)


def _symbolic(op: str, first: Sequence[Node], last: Node) -> Node | None:
    """The series whose general term is its last one."""
    for name in sorted(variables(last)):
        for start in _STARTS:
            terms = [substitute(last, {name: Fraction(start + index)}) for index in range(len(first))]
            if all(_same_term(x, y) for x, y in zip(terms, first, strict=True)):
                return Call(op, (Sym("bound0"), Num(Fraction(start)), Sym(name), rename(last, name, "bound0")))
    return None


def _same_term(a: Node, b: Node) -> bool:
    from evaluators.grading.algebra.values import equal  # values imports what is rewritten here

    return equal(a, b)


def _numeric(op: str, first: Sequence[Node], last: Node) -> Node | None:
    """An arithmetic series of numbers, in which the last term is met."""
    values = [_value(node) for node in (*first, last)]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values) or not _is_arithmetic(numbers[:-1]):
        return None
    step = numbers[1] - numbers[0]
    steps = (numbers[-1] - numbers[0]) / step if step else Fraction(-1)
    ambiguous = len(numbers) == 3 and numbers[0] and _is_power(numbers[-1] / numbers[0], numbers[1] / numbers[0])
    if steps.denominator != 1 or steps < len(numbers) - 1 or ambiguous:
        return None
    body = Call("add", (Num(numbers[0]), Call("mul", (Num(step), Sym("bound0")))))
    return Call(op, (Sym("bound0"), Num(Fraction(0)), Num(steps), body))


def _progression(first: list[Fraction], last: list[Fraction]) -> list[Fraction] | None:
    """Every value of a finite arithmetic or geometric progression, None where its beginning and end do not fit one."""
    if not last:
        return None
    step = first[1] - first[0] if len(first) > 1 else Fraction(1)
    steps = (last[-1] - first[0]) / step if step else Fraction(-1)
    if steps.denominator == 1 and len(first) <= steps <= _MAX_ITEMS:
        whole = [first[0] + step * index for index in range(int(steps) + 1)]
        if whole[: len(first)] == first and whole[-len(last) :] == last:
            return whole
    if len(first) < 3 or 0 in first:
        return None
    whole, ratio = [first[0]], first[1] / first[0]
    while abs(whole[-1]) < abs(last[-1]) and len(whole) <= _MAX_ITEMS:
        whole.append(whole[-1] * ratio)
    return whole if whole[: len(first)] == first and whole[-len(last) :] == last else None


def _is_arithmetic(values: Sequence[Fraction | None]) -> bool:
    steps = {y - x for x, y in pairwise(values) if x is not None and y is not None}
    return len(steps) == 1


def _is_power(value: Fraction, base: Fraction) -> bool:
    power = base
    while abs(base) > 1 and abs(power) < abs(value):
        power *= base
    return power == value


def _value(node: Node) -> Fraction | None:
    try:
        return rational(node, {})
    except NoValueError:
        return None

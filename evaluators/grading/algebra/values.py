"""Whether two expressions, or two equations, are the same: exactly where they are rational, else at random points."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from typing import Any

from evaluators.grading.algebra.approximate import approximate
from evaluators.grading.algebra.exact import Point, rational
from evaluators.grading.algebra.limits import NoValueError
from evaluators.grading.algebra.nodes import Call, Node, Num, Relation, Sym, variables, walk
from evaluators.grading.algebra.precision import DIGITS, mp, mpf

_POINTS = 12
_POSITIVE = 8
"""The first points have positive coordinates only: a square root may be simplified as its context allows."""
_ENOUGH = 3
_FLOAT_DIGITS = 9
"""Significant digits from which a decimal is a floating-point number's rather than a rounded answer."""


def equal(a: Node, b: Node) -> bool:
    """Whether two expressions have the same value wherever both are defined. Symmetric."""
    names = sorted(variables(a) | variables(b))
    try:
        return _equal_functions(a, b, names) if names else _equal_constants(a, b)
    except (NoValueError, RecursionError):
        return False


def proportional(a: Relation, b: Relation) -> bool:
    """Whether two equations differ by a constant factor that is not zero."""
    names = sorted(variables(a) | variables(b))
    left, right = (Call("sub", (r.sides[0], r.sides[1])) for r in (a, b))
    ratio, agreed = None, 0
    try:
        for point in _points(names, 0):
            x, y = _value(left, point), _value(right, point)
            if x is None or y is None or abs(y) < mpf(10) ** -30:
                continue
            if ratio is not None and not _near(x / y, ratio):
                return False
            ratio, agreed = x / y, agreed + 1
    except (NoValueError, RecursionError):
        return False
    return agreed >= _ENOUGH and ratio is not None and abs(ratio) > mpf(10) ** -30


def rounds_to(value: Node, decimal: Node) -> bool:
    """Whether a value, rounded to the places of a decimal, is that decimal, and differs from it by 0.01 % at most."""
    negative = isinstance(decimal, Call) and decimal.op == "neg"
    literal = decimal.args[0] if isinstance(decimal, Call) and negative else decimal
    if not isinstance(literal, Num) or literal.places is None or variables(value):
        return False
    target = -literal.value if negative else literal.value
    try:
        x = approximate(value, {})
    except (NoValueError, RecursionError):
        return False
    distance = abs(x - mpf(target.numerator) / target.denominator)
    return bool(
        distance <= mpf(10) ** -literal.places * mpf("0.5000001")
        and distance <= abs(mpf(target.numerator)) / target.denominator / 10_000
    )


def real_constant(node: Node) -> Any:
    """The real value of an expression without variables, mpf; raises NoValueError where it has none."""
    sign = {Sym("infty"): 1, Call("neg", (Sym("infty"),)): -1}.get(node)
    if sign is not None:
        return sign * mp.inf
    value = approximate(node, {})
    if mp.im(value) != 0:
        raise NoValueError("not real")
    return mp.re(value)


def _equal_constants(a: Node, b: Node) -> bool:
    exact = rational(a, {}), rational(b, {})
    if exact[0] is not None and exact[1] is not None and exact[0] == exact[1]:
        return True
    x, y = approximate(a, {}), approximate(b, {})
    if _float_equal(a, b, x, y) or _float_equal(b, a, y, x):
        return True
    return None in exact and _near_constants(a, b, x, y)


def _near_constants(a: Node, b: Node, x: Any, y: Any) -> bool:
    magnitude = abs(x) if abs(x) > abs(y) else abs(y)
    if magnitude < 10**15:
        return _near(x, y)
    digits = int(mp.log10(magnitude))
    if digits > 5_000:
        return _near(x, y)
    with mp.workdps(DIGITS + digits):
        return bool(abs(approximate(a, {}) - approximate(b, {})) < mpf(10) ** -30)


def _float_equal(literal: Node, other: Node, x: Any, y: Any) -> bool:
    """Whether a decimal with a float's digits is the rounding of the other value."""
    if isinstance(literal, Call) and literal.op == "neg":
        literal = literal.args[0]
    if not isinstance(literal, Num) or literal.places is None:
        return False
    if len(str(abs(literal.value.numerator))) < _FLOAT_DIGITS and len(str(literal.value.denominator)) < _FLOAT_DIGITS:
        return False
    return bool(abs(x - y) <= max(mpf("0.6") * mpf(10) ** -literal.places, abs(x) * mpf("4e-15")))


def _equal_functions(a: Node, b: Node, names: list[str]) -> bool:
    complex_unit = any(n == Sym("i") for node in (a, b) for n in walk(node))
    agreed = 0
    for point in _points(names, _POSITIVE):
        x, y = _value(a, point), _value(b, point)
        if x is None or y is None:
            continue
        if _near(x, y):
            agreed += 1
        elif complex_unit or (_is_real(x) and _is_real(y)):
            return False
    return agreed >= _ENOUGH


def _value(node: Node, point: Point) -> Any:
    """The value at a point, None where the expression is undefined there."""
    try:
        exact = rational(node, point)
        return approximate(node, point) if exact is None else mpf(exact.numerator) / exact.denominator
    except NoValueError:
        return None


def _points(names: list[str], positive: int) -> Iterator[Point]:
    """The same points for the same names, whatever the order of the expressions."""
    for index in range(_POINTS):
        generator = random.Random(index)
        scale = (2, 40)[index % 2]
        signs = (1,) if index < positive else (1, -1)
        values = (Fraction(generator.randint(7, 97 * scale), 97) * generator.choice(signs) for _ in count())
        yield dict(zip(names, values, strict=False))


def _near(x: Any, y: Any) -> bool:
    difference = abs(x - y)
    return bool(difference <= mpf(10) ** -40 * max(abs(x), abs(y)) or difference < mpf(10) ** -48)


def _is_real(x: Any) -> bool:
    return bool(abs(mp.im(x)) <= mpf(10) ** -40 * abs(x))

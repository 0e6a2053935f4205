"""Whether two expressions, or two equations, are the same: exactly where they are rational, else at random points."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from evaluators.grading.algebra.approximate import Magnitudes, approximate, real_value
from evaluators.grading.algebra.exact import Point, rational
from evaluators.grading.algebra.limits import NoValueError
from evaluators.grading.algebra.nodes import Call, Node, Num, Relation, Sym, variables, walk
from evaluators.grading.algebra.precision import DIGITS, mp, mpf
from evaluators.grading.algebra.rewrite import substitute

_POSITIVE = 10
"""Points with positive coordinates only: a square root may be simplified as its context allows."""
_MIXED = 4
"""Points with signs at random."""
_ENOUGH = 3
_INTEGERS = frozenset({"n", "m", "k", "N", "bound"})
"""Names that stand for integers: floors, parities and factorials need to agree there only."""
_GUARD = 15
"""Decimal digits that rounding may cost."""
_POWERS = 4
"""A difference may be as small as this power of the ratio of sizes: sin(x) - x is of the third."""
_MAX_SPREAD = 10_000
"""Decimal digits between the smallest and the largest value of a computation, beyond which it is not decided."""
_NOISY_DIGITS = 15
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
    reference: tuple[Node, Node] | None = None
    agreed = 0
    try:
        for point in _points(names, all_positive=False):
            pair = substitute(left, point), substitute(right, point)
            zero = _vanishes(pair[0]), _vanishes(pair[1])
            if None in zero or zero == (True, True):
                continue
            if zero[0] != zero[1]:
                return False
            reference = reference or pair
            if not coincide(Call("mul", (pair[0], reference[1])), Call("mul", (pair[1], reference[0])), {}):
                return False
            agreed += 1
    except (NoValueError, RecursionError):
        return False
    return agreed >= _ENOUGH


def coincide(a: Node, b: Node, point: Point) -> bool:
    """Whether two expressions have the same value at a point, however small or large. Raises NoValueError."""
    exact = rational(a, point), rational(b, point)
    if exact[0] is not None and exact[1] is not None:
        return exact[0] == exact[1]
    distance, met = _distance(a, b, point)
    if _apart(distance, met, DIGITS):
        return False
    spread = 0 if met.high is None or met.low is None else (met.high - met.low) * 3 // 10
    if spread <= _GUARD:
        return True
    digits = DIGITS + _POWERS * spread
    if spread > _MAX_SPREAD:
        raise NoValueError("values too far apart in size")
    with mp.workdps(digits):
        return not _apart(*_distance(a, b, point), digits)


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


def is_rounding_of(rounded: Node, value: Node) -> bool:
    """Whether a number is a value rounded or cut off at its last digit."""
    literal = rounded.args[0] if isinstance(rounded, Call) and rounded.op == "neg" else rounded
    try:
        x, y = approximate(value, {}), approximate(rounded, {})
        distance = abs(x - y)
        if isinstance(literal, Num):
            unit = mpf(10) ** -(literal.places or 0)
            cut_off = bool(literal.places) and abs(y) <= abs(x)
            return bool(distance <= unit / 2 or (cut_off and distance < unit))
        return bool(distance <= abs(x) / 100)
    except (NoValueError, RecursionError):
        return False


def is_number(node: Node) -> bool:
    """Whether a node is a literal number, with or without a sign."""
    return isinstance(node.args[0] if isinstance(node, Call) and node.op == "neg" else node, Num)


def real_constant(node: Node) -> Any:
    """The real value of an expression without variables, mpf; raises NoValueError where it has none."""
    sign = {Sym("infty"): 1, Call("neg", (Sym("infty"),)): -1}.get(node)
    if sign is not None:
        return sign * mp.inf
    return real_value(node, {})


def _equal_constants(a: Node, b: Node) -> bool:
    try:
        if coincide(a, b, {}):
            return True
    except NoValueError:
        if rational(a, {}) is None and rational(b, {}) is None:
            raise
    x, y = approximate(a, {}), approximate(b, {})
    return _float_equal(a, b, x, y) or _float_equal(b, a, y, x)


def _distance(a: Node, b: Node, point: Point) -> tuple[Any, Magnitudes]:
    met = Magnitudes()
    return abs(approximate(a, point, met) - approximate(b, point, met)), met


def _apart(distance: Any, met: Magnitudes, digits: int) -> bool:
    """Whether a distance is larger than what rounding to so many digits may leave of values of these sizes."""
    return bool(distance != 0 and met.high is not None and distance > mpf(2) ** met.high * mpf(10) ** (_GUARD - digits))


def _vanishes(node: Node) -> bool | None:
    """Whether an expression without variables is zero, None where it has no value."""
    try:
        return coincide(node, Num(Fraction(0)), {})
    except NoValueError:
        return None


def _float_equal(literal: Node, other: Node, x: Any, y: Any) -> bool:
    """Whether a decimal with a float's digits is the rounding of the other value; of two decimals only by noise."""
    written, exact = _decimal(literal), _decimal(other)
    if written is None:
        return False
    digits = max(len(str(abs(written.value.numerator))), len(str(written.value.denominator)))
    noise = bool(digits >= _NOISY_DIGITS and abs(x - y) <= abs(x) * mpf("4e-15"))
    if digits < _FLOAT_DIGITS or exact is not None or noise:
        return noise
    return bool(abs(x - y) <= mpf("0.6") * mpf(10) ** -(written.places or 0) and abs(x - y) <= abs(x) * mpf("1e-6"))


def _decimal(node: Node) -> Num | None:
    """The literal of a decimal with or without a sign, None for any other expression."""
    if isinstance(node, Call) and node.op == "neg":
        node = node.args[0]
    return node if isinstance(node, Num) and node.places is not None else None


def _equal_functions(a: Node, b: Node, names: list[str]) -> bool:
    complex_unit = any(n == Sym("i") for node in (a, b) for n in walk(node))
    agreed = 0
    for point in _points(names, all_positive=True):
        try:
            if coincide(a, b, point):
                agreed += 1
            elif complex_unit or (_is_real(approximate(a, point)) and _is_real(approximate(b, point))):
                return False
        except NoValueError:
            continue
    return agreed >= _ENOUGH


def _points(names: list[str], *, all_positive: bool) -> Iterator[Point]:
    """The same points for the same names, whatever the order of the expressions.

    Positive ones first, if asked for; then each coordinate negative alone, all of them, and signs at random.
    """
    signs: list[tuple[int, ...]] = [(1,) * len(names)] * _POSITIVE if all_positive else []
    generator = random.Random(0)
    if all_positive:
        signs += [tuple(-1 if i == j else 1 for j in range(len(names))) for i in range(min(len(names), 12))]
        signs += [(-1,) * len(names)]
    signs += [tuple(generator.choice((1, -1)) for _ in names) for _ in range(_MIXED if all_positive else 12)]
    for index, chosen in enumerate(signs):
        generator = random.Random(index)
        scale = (2, 40)[index % 2]
        yield {
            name: sign * _coordinate(name, index, scale, generator, alone=len(names) == 1)
            for name, sign in zip(names, chosen, strict=True)
        }


def _coordinate(name: str, index: int, scale: int, generator: random.Random, *, alone: bool) -> Fraction:
    if name not in _INTEGERS:
        return Fraction(generator.randint(7, 97 * scale), 97)
    return Fraction(index + 1 if alone else generator.randint(1, 6 if scale == 2 else 17))


def _is_real(x: Any) -> bool:
    return bool(abs(mp.im(x)) <= mpf(10) ** -40 * abs(x))

"""Exact values of expressions: rational numbers, bounded in their digits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

from evaluators.grading.algebra.limits import MAX_BITS, MAX_TERMS, NoValueError
from evaluators.grading.algebra.nodes import Call, Node, Num, Quantity, Sym
from evaluators.grading.algebra.precision import mp

Point = Mapping[str, Fraction]
"""Values of the free variables."""


def rational(node: Node, point: Point) -> Fraction | None:
    """The exact value at a point, None where it is irrational. Raises NoValueError: undefined or too large."""
    match node:
        case Num(value=value):
            return value
        case Sym(name=name):
            return point.get(name)
        case Quantity(value=inner):
            return rational(inner, point)
        case Call(op="sum" | "prod"):
            return _exact_series(node, point)
        case Call(op="cases" | "integral" | "limit" | "ellipsis" | "progression"):
            return None
        case Call(op=op, args=args):
            values = [rational(arg, point) for arg in args]
            exact = [v for v in values if v is not None]
            return _exact_call(op, exact) if len(exact) == len(values) else None
        case _:
            raise NoValueError(type(node).__name__)


def _exact_call(op: str, v: list[Fraction]) -> Fraction | None:  # noqa: PLR0911, PLR0912 -- one return per operation
    match op:
        case "add" | "mixed":
            return v[0] + v[1]
        case "sub":
            return v[0] - v[1]
        case "neg":
            return -v[0]
        case "mul" | "apply":
            return _bounded(v[0] * v[1])
        case "div":
            if v[1] == 0:
                raise NoValueError("division by zero")
            return _bounded(v[0] / v[1])
        case "pow":
            return _exact_power(v[0], v[1])
        case "root":
            return _exact_root(v[0], v[1])
        case "factorial":
            return Fraction(math.factorial(_small(v[0], 5_000))) if v[0].denominator == 1 else None
        case "doublefactorial":
            return Fraction(math.prod(range(_small(v[0] + 2, 3_000) - 2, 0, -2)))
        case "mod":
            if v[1] == 0:
                raise NoValueError("division by zero")
            return v[0] % v[1]
        case "binom":
            whole = v[0].denominator == v[1].denominator == 1
            return Fraction(math.comb(_small(v[0], 20_000), _small(v[1], 20_000))) if whole else None
        case "abs" | "det":
            return abs(v[0])
        case "floor":
            return Fraction(math.floor(v[0]))
        case "ceil":
            return Fraction(math.ceil(v[0]))
        case "max":
            return max(v)
        case "min":
            return min(v)
        case "gcd" | "lcm":
            integers = [_small(x, 10**50) for x in v]
            return Fraction(math.gcd(*integers) if op == "gcd" else math.lcm(*integers))
        case _:
            return None


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > 2 * MAX_BITS:
        raise NoValueError("too many digits")
    return value


def _small(value: Fraction, limit: int) -> int:
    if value.denominator != 1 or not 0 <= value <= limit:
        raise NoValueError("not a natural number of moderate size")
    return int(value)


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1:
        if exponent.denominator > 64 or (base < 0 and exponent.denominator % 2 == 0):
            return None
        root = _exact_root(base, Fraction(exponent.denominator))
        return None if root is None else _exact_power(root, Fraction(exponent.numerator))
    if base == 0 and exponent <= 0:
        raise NoValueError("zero to a power that is not positive")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(base) != 1 and base != 0 and abs(exponent) * size > MAX_BITS:
        raise NoValueError("a power too large")
    return base ** (int(exponent) % 2 if abs(base) == 1 else int(exponent))


def _exact_root(value: Fraction, index: Fraction) -> Fraction | None:
    if index.denominator != 1 or not 1 <= index <= 64:
        return None
    n = int(index)
    if value < 0:
        root = _exact_root(-value, index) if n % 2 else None
        return None if root is None else -root
    above, below = _integer_root(value.numerator, n), _integer_root(value.denominator, n)
    return None if above is None or below is None else Fraction(above, below)


def _integer_root(value: int, n: int) -> int | None:
    if n == 2 or value < 2:
        root = math.isqrt(value) if n == 2 else value
    else:
        with mp.workdps(15 + value.bit_length() // (3 * n)):
            root = int(mp.nint(mp.root(value, n)))
    return root if root**n == value else None


def _exact_series(node: Call, point: Point) -> Fraction | None:
    total = Fraction(0 if node.op == "sum" else 1)
    for inner in series_points(node, point):
        term = rational(node.args[3], inner)
        if term is None:
            return None
        total = _bounded(total + term if node.op == "sum" else total * term)
    return total


def series_points(node: Call, point: Point) -> Iterator[Point]:
    """The point with each value of a sum's variable in turn. Raises NoValueError when they are not few."""
    variable, low, high, _ = node.args
    first, last = rational(low, point), rational(high, point)
    if not isinstance(variable, Sym) or first is None or last is None or not -1 <= last - first <= MAX_TERMS:
        raise NoValueError("a series that is not finite")
    for k in range(math.ceil(first), math.floor(last) + 1):
        yield {**point, variable.name: Fraction(k)}

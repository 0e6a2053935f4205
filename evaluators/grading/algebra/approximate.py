"""Approximate values of expressions: complex numbers to many digits, bounded in their size."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluators.grading.algebra.exact import Point, rational, series_points
from evaluators.grading.algebra.limits import MAX_LOG10, NoValueError
from evaluators.grading.algebra.nodes import Call, Listing, Node, Num, Percent, Quantity, Relation, Sym, Text
from evaluators.grading.algebra.precision import mp, mpc, mpf

_EXACT_ONLY = frozenset({"gcd", "lcm", "floor", "ceil", "mod", "doublefactorial", "factorial", "binom"})
_TESTS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


@dataclass(slots=True)
class Magnitudes:
    """Binary exponents of the smallest and the largest value met on the way to a result."""

    low: int | None = None
    high: int | None = None

    def add(self, value: Any) -> None:
        """Count a value that is not zero."""
        if value == 0:
            return
        exponent = int(mp.mag(value))
        self.low = exponent if self.low is None else min(self.low, exponent)
        self.high = exponent if self.high is None else max(self.high, exponent)


def approximate(node: Node, point: Point, met: Magnitudes | None = None) -> Any:
    """The value at a point to the precision of `mp` (mpf or mpc). Raises NoValueError when undefined or too large."""
    value = _approximate(node, point, met)
    if met is not None:
        met.add(value)
    return value


def real_value(node: Node, point: Point) -> Any:
    """The value at a point, mpf. Raises NoValueError where there is none, or it is not real."""
    value = approximate(node, point)
    if mp.im(value) != 0:
        raise NoValueError("not real")
    return mp.re(value)


def _approximate(node: Node, point: Point, met: Magnitudes | None) -> Any:  # noqa: PLR0911 -- one return per kind
    match node:
        case Num(value=value):
            return _float(value)
        case Sym(name=name):
            return _symbol(name, point)
        case Quantity(value=inner):
            return approximate(inner, point, met)
        case Call(op="sum" | "prod"):
            return _approximate_series(node, point, met)
        case Call(op="cases"):
            return approximate(chosen_branch(node, point), point, met)
        case Call(op=op, args=args):
            exact = rational(node, point) if op in _EXACT_ONLY else None
            if exact is not None:
                return _float(exact)
            try:
                return _checked(_approximate_call(op, [approximate(arg, point, met) for arg in args]))
            except (ValueError, ZeroDivisionError, OverflowError, TypeError) as error:
                raise NoValueError(str(error)) from error
        case Percent():
            raise NoValueError("a percentage inside an expression")
        case _:
            raise NoValueError(type(node).__name__)


def chosen_branch(node: Call, point: Point) -> Node:
    """The branch of a piecewise definition that holds at a point. Raises NoValueError where that is not clear."""
    otherwise = None
    for value, condition in zip(node.args[::2], node.args[1::2], strict=True):
        if condition == Text("otherwise"):
            otherwise = value
        elif _holds(condition, point):
            return value
    if otherwise is None:
        raise NoValueError("no branch holds")
    return otherwise


def _holds(condition: Node, point: Point) -> bool:
    match condition:
        case Listing(items=items, joiner=joiner):
            return (any if joiner == "or" else all)(_holds(item, point) for item in items)
        case Call(op="even" | "odd" as parity, args=(argument,)):
            value = rational(argument, point)
            if value is None or value.denominator != 1:
                raise NoValueError("parity of what is no integer")
            return value % 2 == (0 if parity == "even" else 1)
        case Relation(sides=sides, ops=ops) if set(ops) <= _TESTS.keys():
            values = [real_value(side, point) for side in sides]
            pairs = zip(ops, values, values[1:], strict=False)
            return all(_TESTS[op](x, y) for op, x, y in pairs)
        case _:
            raise NoValueError("a condition that is not evaluated")


def _float(value: Fraction) -> Any:
    return mpf(value.numerator) / value.denominator


def _symbol(name: str, point: Point) -> Any:
    if name in point:
        return _float(point[name])
    constants = {"pi": mp.pi, "e": mp.e, "i": mpc(0, 1)}
    if name not in constants:
        raise NoValueError(f"{name} has no value")
    return +constants[name]


def _checked(value: Any) -> Any:
    if not mp.isfinite(value):
        raise NoValueError("not finite")
    return value


def _approximate_call(op: str, v: list[Any]) -> Any:  # noqa: PLR0911, PLR0912 -- one return per operation
    match op:
        case "add" | "mixed":
            return v[0] + v[1]
        case "sub":
            return v[0] - v[1]
        case "neg":
            return -v[0]
        case "mul" | "apply":
            return v[0] * v[1]
        case "div":
            return v[0] / v[1]
        case "pow":
            return _power(v[0], v[1])
        case "root":
            return _real_root(v[0], v[1])
        case "log" | "lg":
            return mp.log(v[0], v[1] if len(v) > 1 else 10 if op == "lg" else mp.e)
        case "factorial":
            return mp.gamma(_moderate(v[0]) + 1)
        case "binom":
            return mp.binomial(_moderate(v[0]), _moderate(v[1]))
        case "exp":
            return _power(mp.e, v[0])
        case "max" | "min":
            return (max if op == "max" else min)(v)
        case _:
            return _function(op, v[0])


_FUNCTIONS = {
    "ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arccot": "acot", "arcsec": "asec",
    "arccsc": "acsc", "abs": "fabs", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
}  # fmt: skip
_DIRECT = frozenset({
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "sech", "csch", "floor", "ceil",
})  # fmt: skip


def _function(op: str, value: Any) -> Any:
    if op not in _DIRECT and op not in _FUNCTIONS:
        raise NoValueError(f"{op} is not evaluated")
    return getattr(mp, _FUNCTIONS.get(op, op))(_moderate(value))


def _moderate(value: Any) -> Any:
    if abs(value) > 10**9:
        raise NoValueError("an argument too large")
    return value


def _power(base: Any, exponent: Any) -> Any:
    if base == 0:
        if mp.re(exponent) <= 0:
            raise NoValueError("zero to a power that is not positive")
        return mpf(0)
    with mp.workdps(15):
        if abs(exponent) > 10**15 or abs(exponent * mp.log(base)) > MAX_LOG10 * 3:
            raise NoValueError("a power too large")
    fraction = _odd_fraction(exponent) if mp.im(base) == 0 and mp.re(base) < 0 else None
    if fraction is not None:
        return (-1) ** fraction.numerator * mp.power(-base, exponent)
    return mp.power(base, exponent)


def _odd_fraction(exponent: Any) -> Fraction | None:
    """The exponent p/q with a small odd q, for which a negative base has a real power."""
    for q in (3, 5, 7, 9):
        scaled = exponent * q
        if mp.im(exponent) == 0 and abs(scaled - mp.nint(scaled)) < mpf(10) ** -40:
            return Fraction(int(mp.nint(scaled)), q)
    return None


def _real_root(value: Any, index: Any) -> Any:
    n = int(mp.nint(mp.re(index)))
    if n != index or not 1 <= n <= 1000:
        return _power(value, 1 / index)
    if mp.im(value) == 0 and mp.re(value) < 0 and n % 2:
        return -mp.root(-value, n)
    return mp.root(value, n)


def _approximate_series(node: Call, point: Point, met: Magnitudes | None) -> Any:
    total = mpf(0 if node.op == "sum" else 1)
    for inner in series_points(node, point):
        term = approximate(node.args[3], inner, met)
        total = total + term if node.op == "sum" else total * term
    return total

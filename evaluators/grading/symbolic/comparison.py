"""Whether two sympy objects are the same answer: by simplification, and at random points of their common domain."""

from __future__ import annotations

import operator
import random
from functools import reduce
from typing import Any

import sympy
from sympy import S
from sympy.core.relational import Relational

from evaluators.grading.symbolic.reading import read

_DIGITS = 50
_MAX_POWER = 100
"""Exponent of a matrix."""
_POINTS = 6
_ENOUGH = 3
_CONSTANTS = frozenset({"C", "c", "K"})


def decide(a: str, b: str) -> bool | None:
    """Whether two cleaned answers are equal, None where that is not found out. Symmetric; time has no bound here."""
    first, second = sorted((a, b))
    x, y = read(first), read(second)
    if x is None or y is None:
        return None
    try:
        return _same(x, y)
    except Exception:  # sympy gives up in many ways; each is a "cannot decide"
        return None


def _same(x: Any, y: Any) -> bool | None:
    x, y = _value(x), _value(y)
    if _is_matrix(x) or _is_matrix(y):
        return _same_matrices(x, y)
    if isinstance(x, sympy.Set | Relational | sympy.And | sympy.Or) and isinstance(
        y, sympy.Set | Relational | sympy.And | sympy.Or
    ):
        return _same_sets(x, y)
    if isinstance(x, sympy.Expr) and isinstance(y, sympy.Expr):
        return _same_expressions(x, y)
    return None


def _value(x: Any) -> Any:
    """The right side of an equation whose left side is a name."""
    if isinstance(x, sympy.Eq) and (x.lhs.is_Symbol or isinstance(x.lhs, sympy.core.function.AppliedUndef)):
        return x.rhs
    return x


def _is_matrix(x: Any) -> bool:
    return any(isinstance(node, sympy.MatrixBase | sympy.MatrixExpr) for node in sympy.preorder_traversal(x))


def _same_matrices(x: Any, y: Any) -> bool | None:
    x, y = _worked_out(x), _worked_out(y)
    if not isinstance(x, sympy.MatrixBase) or not isinstance(y, sympy.MatrixBase):
        return None
    if x.shape != y.shape:
        return False
    return all(_same_expressions(p, q) for p, q in zip(x, y, strict=True))


def _worked_out(x: Any) -> Any:
    """Products, sums and powers of matrices as one matrix."""
    if isinstance(x, sympy.MatrixBase) or not _is_matrix(x):
        return x
    if x.is_Pow or isinstance(x, sympy.MatPow):
        base, exponent = _worked_out(x.args[0]), x.args[1]
        return base ** int(exponent) if exponent.is_Integer and abs(exponent) <= _MAX_POWER else x
    if isinstance(x, sympy.Mul | sympy.MatMul):
        return reduce(operator.mul, map(_worked_out, x.args))
    if isinstance(x, sympy.Add | sympy.MatAdd):
        return reduce(operator.add, map(_worked_out, x.args))
    return x.doit()


def _same_sets(x: Any, y: Any) -> bool | None:
    names = x.free_symbols | y.free_symbols
    if len(names) > 1 or isinstance(x, sympy.Eq) or isinstance(y, sympy.Eq):
        return None
    sets = [_solutions(z) for z in (x, y)]
    if sets[0] == sets[1]:
        return True
    apart = sympy.SymmetricDifference(*sets).doit()
    if apart is S.EmptySet:
        return True
    return False if isinstance(apart, sympy.Interval | sympy.FiniteSet | sympy.Union) else None


def _solutions(x: Any) -> Any:
    if isinstance(x, sympy.Set):
        return x
    (name,) = x.free_symbols
    real = sympy.Symbol("x", real=True)
    return x.subs(name, real).as_set()


def _same_expressions(x: Any, y: Any) -> bool | None:
    x, y = _real(x), _real(y)
    variables = _antiderivative_variables(x) | _antiderivative_variables(y)
    if variables:
        return _same_antiderivatives(x, y, variables)
    x, y = x.doit(), y.doit()
    if x == y:
        return True
    numeric = _agree(x, y)
    if numeric is False:
        return False
    difference = sympy.simplify(x - y)
    if difference == 0:
        return True
    return numeric


def _real(x: Any) -> Any:
    """The expression with real variables and with the usual constants."""
    named = {"e": sympy.E, "i": sympy.I, "pi": sympy.pi}
    return x.subs({s: named.get(s.name, sympy.Symbol(s.name, real=True)) for s in x.free_symbols})


def _antiderivative_variables(x: Any) -> set[Any]:
    return {limits[0] for integral in x.atoms(sympy.Integral) for limits in integral.limits if len(limits) == 1}


def _same_antiderivatives(x: Any, y: Any, variables: set[Any]) -> bool | None:
    """Indefinite integrals by their derivatives; a function beside one needs its constant."""
    for z in (x, y):
        if not _antiderivative_variables(z) and not {s.name for s in z.free_symbols} & _CONSTANTS:
            return False
    if len(variables) != 1:
        return None
    (variable,) = variables
    return _same_expressions(*(sympy.diff(z.doit(), variable) for z in (x, y)))


def _agree(x: Any, y: Any) -> bool | None:
    """Whether the values agree to many digits at enough points, None where too few are defined."""
    names = sorted(x.free_symbols | y.free_symbols, key=str)
    generator, agreed = random.Random(0), 0
    for _ in range(_POINTS if names else 1):
        point = {name: _coordinate(name, generator) for name in names}
        values = [sympy.N(z.subs(point), _DIGITS + 10) for z in (x, y)]
        if not all(v.is_number and v.is_finite and v.is_comparable | bool(v.as_real_imag()) for v in values):
            continue
        distance, size = abs(values[0] - values[1]), max(abs(values[0]), abs(values[1]))
        if distance > size * sympy.Float(10) ** -_DIGITS and distance > sympy.Float(10) ** (-2 * _DIGITS):
            return False
        agreed += 1
    return True if agreed >= (_ENOUGH if names else 1) else None


def _coordinate(name: Any, generator: random.Random) -> Any:
    if str(name) in ("n", "m", "k", "N"):
        return sympy.Integer(generator.randint(1, 12))
    return sympy.Rational(generator.randint(30, 300), 97)

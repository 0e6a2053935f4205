"""Degrees and radians, and vectors written with unit vectors: the same value in two notations."""

from __future__ import annotations

from fractions import Fraction

from evaluators.grading.algebra.nodes import Bracket, Call, Matrix, Node, Num, Quantity, Sym, children, variables, walk
from evaluators.grading.algebra.rewrite import rebuild, substitute

_UNIT_VECTORS = ("hat i", "hat j", "hat k")


def in_degrees(node: Node) -> bool:
    """Whether a degree sign stands somewhere in an expression."""
    return any(isinstance(n, Quantity) and n.unit == "degree" for n in walk(node))


def in_radians(node: Node) -> bool:
    """Whether an expression can only be an angle in radians: it mentions pi or says so."""
    return not in_degrees(node) and any(
        n == Sym("pi") or (isinstance(n, Quantity) and n.unit == "radian") for n in walk(node)
    )


def to_radians(node: Node) -> Node:
    """The expression with each number of degrees as its number of radians."""
    inner = rebuild(node, tuple(to_radians(child) for child in children(node)))
    match inner:
        case Quantity(value=value, unit="degree"):
            return Call("div", (Call("mul", (value, Sym("pi"))), Num(Fraction(180))))
        case Quantity(value=value, unit="radian"):
            return value
        case _:
            return inner


def as_column(node: Node, size: int) -> Matrix | None:
    r"""The column of `2\mathbf{i} - \mathbf{j}`, None where no unit vector is mentioned."""
    used = [name for name in _UNIT_VECTORS if name in variables(node)]
    if not used or isinstance(node, Bracket | Matrix) or size not in (2, 3) or len(used) > size:
        return None
    zero = {name: Fraction(0) for name in _UNIT_VECTORS}
    return Matrix(tuple((substitute(node, {**zero, name: Fraction(1)}),) for name in _UNIT_VECTORS[:size]))

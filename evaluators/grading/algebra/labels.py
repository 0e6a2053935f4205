"""What an equation names: `x = 5` is 5 with a label, `2x = 10` is not."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeGuard

from evaluators.grading.algebra.lexer import FUNCTIONS
from evaluators.grading.algebra.nodes import (
    Bracket,
    Call,
    Listing,
    Node,
    Num,
    Relation,
    SetOperation,
    Sym,
    Text,
    variables,
    walk,
)

_UNKNOWNS = frozenset("abcdkmnpqrstuvwxyz")
"""Letters of unknowns: a function of one is a side of an equation, not a name."""


def is_equation(node: Node) -> bool:
    """Whether every relation of a chain is an equality."""
    return isinstance(node, Relation) and set(node.ops) == {"="}


def split(equation: Relation) -> tuple[Node | None, Node | None]:
    """(label, value) of an equation; (None, None) when it names nothing."""
    first, last = equation.sides[0], equation.sides[-1]
    if is_label(first, last):
        return first, last
    if len(equation.sides) > 2 or not variables(equation):
        return None, last
    if not variables(first) and isinstance(last, Sym):
        return last, first
    return None, None


def is_label(node: Node, value: Node) -> bool:  # noqa: PLR0911 -- one return per kind of label
    """Whether the left side of an equation names its right side, as a symbol does; `m + n = 7` is an equation."""
    match node:
        case Text():
            return True
        case Bracket(items=items):
            return all(isinstance(item, Sym) for item in items)
        case Relation(sides=sides, ops=(":",)):
            return all(isinstance(side, Sym) or _is_segment(side) for side in sides)
        case Sym(name=name):
            return name not in variables(value)
    if is_application(node):
        return not {n.name for n in walk(node.args[0]) if isinstance(n, Sym)} & variables(value)
    if _is_derivative(node):
        return True
    return (not variables(value) or isinstance(value, Text)) and _is_measure(node)


def compatible(a: Node | None, b: Node | None) -> bool:
    """Whether two labels may name the same thing: equal ones, words, or `y` beside `f(x)`."""
    if a is None or b is None or a == b or isinstance(a, Text) or isinstance(b, Text):
        return True
    return (is_application(a) and (is_application(b) or b == Sym("y"))) or (is_application(b) and a == Sym("y"))


def assignments(equation: Node) -> Listing | None:
    """`(p, q) = (3, 2)` as `p = 3, q = 2`."""
    match equation:
        case Relation(sides=(Bracket(items=names), Bracket(items=values)), ops=("=",)) if len(names) == len(values):
            return Listing(tuple(Relation(pair, ("=",)) for pair in zip(names, values, strict=True)))
        case _:
            return None


def without_membership(node: Node) -> Node:
    """`x \\in S` is S."""
    if isinstance(node, Relation) and node.ops == ("in",) and isinstance(node.sides[0], Text | Sym | Bracket):
        return node.sides[1]
    return node


def hundredth(node: Node) -> Node:
    """The value of so many per cent."""
    return Call("div", (node, Num(Fraction(100))))


def is_application(node: Node) -> TypeGuard[Call]:
    """`f(x)`, `P(3)` or `f^{-1}(x)`: a name and a plain argument."""
    match node:
        case Call(op="apply", args=(_, Bracket(items=items))):
            return all(_is_plain(item) for item in items)
        case Call(op="apply", args=(_, argument)):
            return _is_plain(argument)
        case _:
            return False


def _is_plain(node: Node) -> bool:
    match node:
        case Sym() | Num() | SetOperation() | Text():
            return True
        case Call(op="neg" | "mul" | "div", args=args):
            return all(isinstance(arg, Sym | Num) for arg in args)
        case Relation(sides=sides):
            return all(_is_plain(side) for side in sides)
        case _:
            return False


def _is_segment(node: Node) -> bool:
    """`AB`: a name of two capitals, which parses as a product."""
    match node:
        case Call(op="mul", args=(Sym(name=a), Sym(name=b))):
            return len(a) == len(b) == 1 and (a + b).isupper()
        case Sym(name=name):
            return len(name) >= 3 and name.isupper()
        case _:
            return False


def _is_measure(node: Node) -> bool:
    """The length of a segment, a ratio of lengths, a function of an angle."""
    match node:
        case Call(op="abs", args=(inner,)):
            return _is_segment(inner)
        case Call(op="div", args=(above, below)):
            return _is_segment(above) and _is_segment(below)
        case Call(op=op, args=(Sym(name=name),)) if op in FUNCTIONS:
            return name not in _UNKNOWNS
        case Call(op=op, args=(argument,)) if op in FUNCTIONS:
            return _is_segment(argument)
        case _:
            return _is_segment(node)


def _is_derivative(node: Node) -> bool:
    match node:
        case Call(
            op="div", args=(Call(op="mul", args=(Sym(name="d"), Sym())), Call(op="mul", args=(Sym(name="d"), Sym())))
        ):
            return True
        case _:
            return False

"""What an equation names: `x = 5` is 5 with a label, `2x = 10` is not."""

from __future__ import annotations

from fractions import Fraction

from evaluators.grading.algebra.lexer import FUNCTIONS
from evaluators.grading.algebra.nodes import (
    Bracket,
    Call,
    Family,
    Listing,
    Node,
    Num,
    Relation,
    Sym,
    Text,
    variables,
    walk,
)

_COORDINATES = frozenset("xyz")
_FUNCTION_NAMES = frozenset("fghFGHPpqrTuvy")


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


def is_label(node: Node, value: Node) -> bool:
    """Whether the left side of an equation names its right side."""
    if isinstance(node, Text):
        return True
    if isinstance(node, Bracket):
        return all(isinstance(item, Sym) for item in node.items)
    if isinstance(node, Relation):
        return node.ops == (":",) and all(_is_name(side) for side in node.sides)
    if isinstance(node, Sym):
        return node.name not in variables(value)
    if _is_application(node):
        return not {n.name for n in walk(node) if isinstance(n, Sym) and n.name in _FUNCTION_NAMES - {"y"}} & variables(
            value
        )
    constant = not variables(value) or isinstance(value, Text)
    return constant and len(_COORDINATES & variables(node)) < 2 and _is_name(node)


def compatible(a: Node | None, b: Node | None) -> bool:
    """Whether two labels may name the same thing: equal ones, words, or `y` beside `f(x)`."""
    if a is None or b is None or a == b or isinstance(a, Text) or isinstance(b, Text):
        return True
    return (_is_application(a) and (_is_application(b) or b == Sym("y"))) or (_is_application(b) and a == Sym("y"))


def assignments(equation: Node) -> Listing | None:
    """`(p, q) = (3, 2)` as `p = 3, q = 2`."""
    match equation:
        case Relation(sides=(Bracket(items=names), Bracket(items=values)), ops=("=",)) if len(names) == len(values):
            return Listing(tuple(Relation(pair, ("=",)) for pair in zip(names, values, strict=True)))
        case _:
            return None


def without_membership(node: Node) -> Node:
    """`x \\in S` is S."""
    if (
        isinstance(node, Relation)
        and node.ops == ("in",)
        and (isinstance(node.sides[0], Text) or _is_name(node.sides[0]))
    ):
        return node.sides[1]
    return node


def bound(family: Family) -> str | None:
    """The variable that a family's condition speaks of."""
    match family.condition:
        case Relation(sides=(Sym(name=name), *_), ops=("in", *_)):
            return name
        case condition:
            names = variables(condition)
            return next(iter(names)) if len(names) == 1 else None


def hundredth(node: Node) -> Node:
    """The value of so many per cent."""
    return Call("div", (node, Num(Fraction(100))))


def _is_application(node: Node) -> bool:
    """`f(x)` or `f^{-1}(x)`, which parse as products."""
    match node:
        case Call(op="mul", args=(Sym(name=name) | Call(op="pow", args=(Sym(name=name), _)), _)):
            return name[0] in _FUNCTION_NAMES
        case _:
            return False


def _is_name(node: Node) -> bool:
    match node:
        case Sym():
            return True
        case Call(op="mul", args=(Sym() | Call(), _)):
            return True
        case Call(op="add" | "sub" | "div", args=args):
            return all(_is_name(arg) for arg in args)
        case Call(op="pow", args=(base, Num())):
            return _is_name(base) and not _COORDINATES & variables(base)
        case Call(op=op):
            return op in FUNCTIONS or op in ("abs", "det")
        case _:
            return False

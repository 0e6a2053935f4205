"""Rewritings before comparison: both signs as two values, words for numbers, families without braces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial

from evaluators.grading.algebra.nodes import (
    Bracket,
    Call,
    Family,
    Listing,
    Matrix,
    Node,
    Num,
    Percent,
    Quantity,
    Relation,
    SetOperation,
    Sym,
    Text,
    children,
    walk,
)
from evaluators.grading.algebra.numerals import leading_number

_SIGNED = {("pm", 1): "add", ("pm", -1): "sub", ("mp", 1): "sub", ("mp", -1): "add"}


def spread(node: Node) -> Node:
    """The node with `\\pm` as two values, with number words as numbers, and `2k, k \\in Z` as a family."""
    if isinstance(node, Text):
        return _number_in_words(node)
    if isinstance(node, Listing):
        items = tuple(part for item in node.items for part in _two_signs(item))
        last = items[-1]
        if len(items) > 1 and not node.braced and isinstance(last, Relation) and last.ops == ("in",):
            rest = items[:-1]
            return Family(rest[0] if len(rest) == 1 else Listing(rest, node.joiner), last)
        return Listing(items, node.joiner, node.braced) if len(items) > 1 or node.braced else items[0]
    node = _multiplied(node)
    both = _two_signs(node)
    return Listing(both) if len(both) > 1 else node


def rename(node: Node, old: str, new: str) -> Node:
    """The node with a variable renamed."""
    return Sym(new) if node == Sym(old) else rebuild(node, tuple(rename(child, old, new) for child in children(node)))


def substitute(node: Node, point: Mapping[str, Fraction]) -> Node:
    """The node with numbers for the variables that a point names."""
    if isinstance(node, Sym):
        return Num(point[node.name]) if node.name in point else node
    return rebuild(node, tuple(substitute(child, point) for child in children(node)))


def map_calls(node: Node, change: Callable[[Call], Node]) -> Node:
    """The node with every operation changed, from the inside out."""
    inner = rebuild(node, tuple(map_calls(child, change) for child in children(node)))
    return change(inner) if isinstance(inner, Call) else inner


def _number_in_words(text: Text) -> Node:
    """`twenty-four apples` as 24 with its unit."""
    words = text.words.split()
    found = leading_number(words)
    if found is None:
        return text
    value, used = found
    return Quantity(Num(value), " ".join(words[used:])) if used < len(words) else Num(value)


def _two_signs(node: Node) -> tuple[Node, ...]:
    inner = list(walk(node))
    signed = any(isinstance(n, Call) and n.op in ("pm", "mp") for n in inner)
    if not signed or any(isinstance(n, Bracket | Matrix | Family | Listing) for n in inner):
        return (node,)
    return _choose(node, 1), _choose(node, -1)


def _choose(node: Node, sign: int) -> Node:
    inner = tuple(map(partial(_choose, sign=sign), children(node)))
    if isinstance(node, Call) and (node.op, sign) in _SIGNED:
        op = _SIGNED[node.op, sign]
        return Call(op, inner) if len(inner) == 2 else inner[0] if op == "add" else Call("neg", inner)
    return rebuild(node, inner)


def _multiplied(node: Node) -> Node:
    """A scalar times a matrix, or a matrix over a scalar, entry by entry; a determinant, expanded."""
    match node:
        case Call(op="mul", args=(scalar, Matrix() as matrix)) if not isinstance(scalar, Matrix):
            return _entrywise("mul", matrix, scalar)
        case Call(op="mul" | "div" as op, args=(Matrix() as matrix, scalar)) if not isinstance(scalar, Matrix):
            return _entrywise(op, matrix, scalar)
        case Call(op="neg", args=(Matrix() as matrix,)):
            return _entrywise("mul", matrix, Num(Fraction(-1)))
        case Call(op="det", args=(Matrix(rows=rows),)) if len(rows) == len(rows[0]) <= 4:
            return _determinant(rows)
        case _:
            return node


def _entrywise(op: str, matrix: Matrix, scalar: Node) -> Matrix:
    return Matrix(tuple(tuple(Call(op, (entry, scalar)) for entry in row) for row in matrix.rows))


def _determinant(rows: tuple[tuple[Node, ...], ...]) -> Node:
    total = None
    for column, entry in enumerate(rows[0]):
        minor = tuple(row[:column] + row[column + 1 :] for row in rows[1:])
        term = Call("mul", (entry, _determinant(minor))) if minor else entry
        total = term if total is None else Call("sub" if column % 2 else "add", (total, term))
    return total if total is not None else Num(Fraction(1))


def rebuild(node: Node, inner: tuple[Node, ...]) -> Node:  # noqa: PLR0911 -- one return per kind of node
    """The node with other children."""
    match node:
        case Call(op=op):
            return Call(op, inner)
        case SetOperation(op=operation):
            return SetOperation(operation, (inner[0], inner[1]))
        case Relation(ops=ops):
            return Relation(inner, ops)
        case Listing(joiner=joiner, braced=braced):
            return Listing(inner, joiner, braced)
        case Bracket(opening=opening, closing=closing):
            return Bracket(opening, closing, inner)
        case Quantity(unit=unit):
            return Quantity(inner[0], unit)
        case Percent():
            return Percent(inner[0])
        case Matrix(rows=rows):
            width = len(rows[0])
            return Matrix(tuple(inner[start : start + width] for start in range(0, len(inner), width)))
        case Family():
            return Family(inner[0], inner[1])
        case _:
            return node

"""The syntax of an answer: expressions, and the structures that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Num:
    """A literal number; `places` counts the digits after a decimal point, None where there is no point."""

    value: Fraction
    places: int | None = None


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable or a constant, with its subscript: `x`, `pi`, `a_1`."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operation on its arguments: add, mul, div, neg, pow, root, binom, factorial, abs, sin, log, ..."""

    op: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Based:
    """A numeral in a stated base, compared with other such numerals only."""

    value: int
    base: int


@dataclass(frozen=True, slots=True)
class Percent:
    """`value` per cent."""

    value: Node


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and the unit it was given in (lower case, singular)."""

    value: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Text:
    """Words, normalised."""

    words: str


@dataclass(frozen=True, slots=True)
class Bracket:
    """A tuple or an interval, with its delimiters: `(1,2)`, `[0,1)`."""

    opening: str
    closing: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Values in no particular order: a comma list (`braced` False) or a set."""

    items: tuple[Node, ...]
    joiner: Literal[",", "and", "or"] = ","
    braced: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of a matrix, of equal length."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A chain `sides[0] ops[0] sides[1] ...` with operators =, <, <=, >, >=, !=, in, :."""

    sides: tuple[Node, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """`{body : condition}`: a set given by a condition."""

    body: Node
    condition: Node


@dataclass(frozen=True, slots=True)
class SetOperation:
    """Union, intersection or difference of sets."""

    op: Literal["union", "intersection", "difference"]
    args: tuple[Node, Node]


@dataclass(frozen=True, slots=True)
class Domain:
    """A named set: R, Z, N, Q, C, or the empty set."""

    name: str


Node: TypeAlias = (
    Num
    | Sym
    | Call
    | Based
    | Percent
    | Quantity
    | Text
    | Bracket
    | Listing
    | Matrix
    | Relation
    | Family
    | SetOperation
    | Domain
)

CONSTANTS = frozenset({"pi", "e", "i", "infty"})


def children(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911 -- one return per kind of node
    """The nodes directly below a node."""
    match node:
        case Call(args=args) | SetOperation(args=args):
            return args
        case Bracket(items=items) | Listing(items=items):
            return items
        case Percent(value=value) | Quantity(value=value):
            return (value,)
        case Matrix(rows=rows):
            return tuple(entry for row in rows for entry in row)
        case Relation(sides=sides):
            return sides
        case Family(body=body, condition=condition):
            return (body, condition)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def variables(node: Node) -> frozenset[str]:
    """Names of the free variables (constants are none)."""
    return frozenset(n.name for n in walk(node) if isinstance(n, Sym) and n.name not in CONSTANTS)

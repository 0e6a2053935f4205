"""Whether two parsed answers are the same answer."""

from __future__ import annotations

from evaluators.grading.algebra import labels
from evaluators.grading.algebra.limits import NoValueError
from evaluators.grading.algebra.nodes import (
    Based,
    Bracket,
    Call,
    Domain,
    Family,
    Listing,
    Matrix,
    Node,
    Percent,
    Quantity,
    Relation,
    SetOperation,
    Text,
    variables,
)
from evaluators.grading.algebra.real_sets import is_real_set, same_real_set
from evaluators.grading.algebra.rewrite import rename, spread
from evaluators.grading.algebra.values import equal, proportional
from evaluators.grading.algebra.words import known_unit

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


def same(a: Node, b: Node) -> bool:
    """Whether two answers are the same; symmetric."""
    return a == b or _same(spread(a), spread(b))


def _same(a: Node, b: Node) -> bool:  # noqa: PLR0911 -- one return per kind of answer
    if a == b:
        return True
    if labels.is_equation(a) or labels.is_equation(b):
        return _same_equations(a, b)
    if isinstance(a, Percent) or isinstance(b, Percent):
        return _same_percent(a, b)
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return _same_quantity(a, b)
    if isinstance(a, Family) and isinstance(b, Family) and _same_family(a, b):
        return True
    a, b = labels.without_membership(a), labels.without_membership(b)
    if is_real_set(a) or is_real_set(b):
        return _same_set(a, b)
    if isinstance(a, Listing) or isinstance(b, Listing):
        return _same_listing(a, b)
    if isinstance(a, Bracket | Matrix) or isinstance(b, Bracket | Matrix):
        return _same_ordered(a, b)
    if isinstance(a, Relation) or isinstance(b, Relation):
        return _same_ratio(a, b)
    if isinstance(a, Text | Domain | Based) or isinstance(b, Text | Domain | Based):
        return a == b
    return equal(a, b)


def _same_equations(a: Node, b: Node) -> bool:
    """Equations are equal when proportional; beside another answer an equation stands for its value."""
    if isinstance(a, Relation) and isinstance(b, Relation) and labels.is_equation(a) and labels.is_equation(b):
        if len(a.sides) == len(b.sides) == 2 and proportional(a, b):
            return True
        (label_a, value_a), (label_b, value_b) = labels.split(a), labels.split(b)
        return (
            labels.compatible(label_a, label_b)
            and value_a is not None
            and value_b is not None
            and same(value_a, value_b)
        )
    equation, other = (a, b) if labels.is_equation(a) else (b, a)
    if isinstance(other, Listing) and not other.braced and (named := labels.assignments(equation)) is not None:
        return _same_listing(named, other)
    value = labels.split(equation)[1] if isinstance(equation, Relation) else None
    return value is not None and not labels.is_equation(value) and same(value, other)


def _same_percent(a: Node, b: Node) -> bool:
    """`20\\%` is 20 and 0.2, but 20 is not 0.2."""
    if isinstance(a, Percent) and isinstance(b, Percent):
        return _same(a.value, b.value)
    percent, other = (a, b) if isinstance(a, Percent) else (b, a)
    if not isinstance(percent, Percent) or isinstance(other, Bracket | Listing | Text):
        return False
    return _same(percent.value, other) or _same(labels.hundredth(percent.value), other)


def _same_quantity(a: Node, b: Node) -> bool:
    """Units may be missing; two known units must be the same."""
    unit_a, unit_b = (known_unit(n.unit) if isinstance(n, Quantity) else None for n in (a, b))
    if unit_a is not None and unit_b is not None and unit_a != unit_b:
        return False
    value_a, value_b = (n.value if isinstance(n, Quantity) else n for n in (a, b))
    return _same(value_a, value_b)


def _same_family(a: Family, b: Family) -> bool:
    """Families with the name of the bound variable left open."""
    bound_a, bound_b = labels.bound(a), labels.bound(b)
    if bound_a is None or bound_b is None:
        return False
    bodies = rename(a.body, bound_a, "bound"), rename(b.body, bound_b, "bound")
    conditions = rename(a.condition, bound_a, "bound"), rename(b.condition, bound_b, "bound")
    return _same(*bodies) and _same(*conditions)


def _same_set(a: Node, b: Node) -> bool:
    try:
        return same_real_set(a, b)
    except NoValueError:
        pass
    if isinstance(a, Relation) and isinstance(b, Relation):
        return _same_chain(a, b) or _same_chain(_mirrored(a), b)
    if isinstance(a, SetOperation) and isinstance(b, SetOperation) and a.op == b.op:
        (w, x), (y, z) = a.args, b.args
        crossed = a.op != "difference" and _same(w, z) and _same(x, y)
        return (_same(w, y) and _same(x, z)) or crossed
    if isinstance(a, Bracket) and isinstance(b, Bracket):
        return _same_ordered(a, b)
    if isinstance(a, Listing) and isinstance(b, Listing):
        return _same_listing(a, b)
    return False


def _same_chain(a: Relation, b: Relation) -> bool:
    return a.ops == b.ops and all(_same(x, y) for x, y in zip(a.sides, b.sides, strict=True))


def _mirrored(a: Relation) -> Relation:
    return Relation(a.sides[::-1], tuple(_MIRRORED.get(op, op) for op in a.ops[::-1]))


def _same_listing(a: Node, b: Node) -> bool:
    """Each value of the one is a value of the other; `3, 2` in order is also the tuple (3, 2)."""
    if isinstance(a, Bracket) or isinstance(b, Bracket):
        listing, bracket = (b, a) if isinstance(a, Bracket) else (a, b)
        if isinstance(listing, Listing) and isinstance(bracket, Bracket) and not listing.braced and _is_tuple(bracket):
            return _pairwise(listing.items, bracket.items)
        return False
    left, right = (n.items if isinstance(n, Listing) else (n,) for n in (a, b))
    return all(any(same(x, y) for y in right) for x in left) and all(any(same(x, y) for x in left) for y in right)


def _is_tuple(node: Bracket) -> bool:
    return (node.opening, node.closing) == ("(", ")")


def _pairwise(a: tuple[Node, ...], b: tuple[Node, ...]) -> bool:
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))


def _same_ordered(a: Node, b: Node) -> bool:
    """Tuples and matrices keep their order; a column is also a tuple."""
    match a, b:
        case Bracket(), Bracket():
            return (a.opening, a.closing) == (b.opening, b.closing) and _pairwise(a.items, b.items)
        case Matrix(), Matrix():
            shapes = [[len(row) for row in m.rows] for m in (a, b)]
            return shapes[0] == shapes[1] and all(_pairwise(x, y) for x, y in zip(a.rows, b.rows, strict=True))
        case (Matrix(rows=rows), Bracket() as bracket) | (Bracket() as bracket, Matrix(rows=rows)):
            column = tuple(entry for row in rows for entry in row)
            return (len(rows) == 1 or len(rows[0]) == 1) and _is_tuple(bracket) and _pairwise(column, bracket.items)
        case (Matrix(rows=((entry,),)), other) | (other, Matrix(rows=((entry,),))):
            return _same(entry, other)
        case _:
            return isinstance(a, Call) and isinstance(b, Call) and a.op == b.op and _pairwise(a.args, b.args)


def _same_ratio(a: Node, b: Node) -> bool:
    """`11:21` by proportion; a ratio of two is also a fraction. Other relations are equal when their sides are."""
    if isinstance(a, Relation) and isinstance(b, Relation):
        if a.ops != b.ops:
            return False
        if set(a.ops) != {":"}:
            return _same_chain(a, b)
        first = a.sides[0], b.sides[0]
        cross = (
            (Call("mul", (x, first[1])), Call("mul", (y, first[0]))) for x, y in zip(a.sides, b.sides, strict=True)
        )
        return all(equal(x, y) for x, y in cross)
    relation, other = (a, b) if isinstance(a, Relation) else (b, a)
    if not isinstance(relation, Relation) or relation.ops != (":",) or isinstance(other, Text | Domain):
        return False
    return (
        not variables(relation)
        and isinstance(other, Call)
        and equal(Call("div", (relation.sides[0], relation.sides[1])), other)
    )

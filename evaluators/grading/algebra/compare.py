"""Whether two parsed answers are the same answer."""

from __future__ import annotations

from evaluators.grading.algebra import bound_names, labels
from evaluators.grading.algebra.angles import as_column, in_degrees, in_radians, to_radians
from evaluators.grading.algebra.limits import NoValueError
from evaluators.grading.algebra.listings import is_tuple, matches, pairwise, same_listing
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
    walk,
)
from evaluators.grading.algebra.real_sets import is_real_set, same_real_set
from evaluators.grading.algebra.rewrite import map_calls, rename, spread
from evaluators.grading.algebra.values import equal, proportional
from evaluators.grading.algebra.words import known_unit

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_OPAQUE = frozenset({"integral", "limit", "ellipsis", "progression", "sum", "prod"})
"""Operations that are compared part by part."""
_RESIDUES = frozenset({"residue", "mod"})
_ANGLES = frozenset({"degree", "radian"})


def same(a: Node, b: Node) -> bool:
    """Whether two answers are the same; symmetric."""
    return a == b or _same(spread(a), spread(b))


def _same(a: Node, b: Node) -> bool:  # noqa: PLR0911 -- one return per kind of answer
    if a == b:
        return True
    if bound_names.over_integers(a) is not None or bound_names.over_integers(b) is not None:
        return _same_over_integers(a, b)
    if labels.is_equation(a) or labels.is_equation(b):
        return _same_equations(a, b)
    if isinstance(a, Percent) or isinstance(b, Percent):
        return _same_percent(a, b)
    if isinstance(a, Quantity) or isinstance(b, Quantity):
        return _same_quantity(a, b)
    if _is_residue(a) or _is_residue(b):
        return _same_residue(a, b)
    a, b = labels.without_membership(a), labels.without_membership(b)
    if is_real_set(a) or is_real_set(b):
        return _same_set(a, b)
    if isinstance(a, Listing) or isinstance(b, Listing):
        return same_listing(a, b, same)
    if isinstance(a, Bracket | Matrix) or isinstance(b, Bracket | Matrix):
        return _same_ordered(a, b)
    if isinstance(a, Relation) or isinstance(b, Relation):
        return _same_ratio(a, b)
    if isinstance(a, Text | Domain | Based) or isinstance(b, Text | Domain | Based):
        return a == b
    return _same_expression(a, b)


def _same_expression(a: Node, b: Node) -> bool:
    """Equal values, or equal up to a notation: the base of a logarithm, the unit of an angle, a name that is free."""
    if equal(a, b) or bound_names.same_progression(a, b) or bound_names.same_up_to_constant(a, b):
        return True
    integers = bound_names.implied_integer(a), bound_names.implied_integer(b)
    if integers[0] is not None and integers[1] is not None and integers[0] != integers[1]:
        return equal(rename(a, integers[0], bound_names.BOUND), rename(b, integers[1], bound_names.BOUND))
    if (in_degrees(a) and in_radians(b)) or (in_radians(a) and in_degrees(b)):
        return equal(to_radians(a), to_radians(b))
    if _has_bare_logarithm(a) or _has_bare_logarithm(b):
        return equal(_in_base_ten(a), _in_base_ten(b))
    return isinstance(a, Call) and isinstance(b, Call) and _same_parts(a, b)


def _same_parts(a: Call, b: Call) -> bool:
    """Integrals, limits and open series by their parts; piecewise definitions by their branches, in any order."""
    if a.op != b.op:
        return False
    if a.op == "cases":
        branches = [
            tuple(Bracket("(", ")", pair) for pair in zip(n.args[::2], n.args[1::2], strict=True)) for n in (a, b)
        ]
        return matches(branches[0], branches[1], same)
    return a.op in _OPAQUE and pairwise(a.args, b.args, same)


def _has_bare_logarithm(node: Node) -> bool:
    return any(isinstance(n, Call) and n.op == "log" and len(n.args) == 1 for n in walk(node))


def _in_base_ten(node: Node) -> Node:
    return map_calls(node, lambda call: Call("lg", call.args) if call.op == "log" and len(call.args) == 1 else call)


def _is_residue(node: Node) -> bool:
    return isinstance(node, Call) and node.op == "residue"


def _same_residue(a: Node, b: Node) -> bool:
    r"""`3 \pmod 7` is `10 \pmod 7`; beside a plain number the modulus is a remark."""
    if not (isinstance(a, Call) and isinstance(b, Call) and a.op in _RESIDUES and b.op in _RESIDUES):
        value, other = (a, b) if _is_residue(a) else (b, a)
        return isinstance(value, Call) and _same(value.args[0], other)
    if not equal(a.args[1], b.args[1]):
        return False
    remainders = Call("mod", a.args), Call("mod", b.args)
    return equal(a.args[0], b.args[0]) or equal(*remainders)


def _same_over_integers(a: Node, b: Node) -> bool:
    """Families over all integers; where one does not say so, its only integer variable is meant."""
    bodies = []
    for node in (a, b):
        body = bound_names.over_integers(node)
        if body is None:
            name = bound_names.only_integer(node)
            if name is None:
                return False
            body = rename(node, name, bound_names.BOUND)
        bodies.append(body)
    return same(*bodies)


def _same_equations(a: Node, b: Node) -> bool:
    """Equations are equal when proportional; beside another answer an equation stands for its value."""
    if isinstance(a, Relation) and isinstance(b, Relation) and labels.is_equation(a) and labels.is_equation(b):
        if len(a.sides) == len(b.sides) == 2 and proportional(a, b):
            return True
        (label_a, value_a), (label_b, value_b) = labels.split(a), labels.split(b)
        if value_a is None or value_b is None or not labels.compatible(label_a, label_b):
            return False
        if label_a is not None and label_b is not None:
            value_b = bound_names.with_arguments_of(label_a, label_b, value_b)
            if labels.is_application(label_a) and labels.is_application(label_b):
                value_b = bound_names.with_constant_of(value_a, value_b)
        return same(value_a, value_b)
    equation, other = (a, b) if labels.is_equation(a) else (b, a)
    if isinstance(other, Listing) and not other.braced and (named := labels.assignments(equation)) is not None:
        return same_listing(named, other, same)
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
    """Units may be missing; two known units must be the same, and so must angles in degrees and in radians."""
    units = [known_unit(n.unit) if isinstance(n, Quantity) else None for n in (a, b)]
    angles = set(units) == _ANGLES or (in_degrees(a) and in_radians(b)) or (in_radians(a) and in_degrees(b))
    if angles:
        return _same(to_radians(a), to_radians(b))
    if units[0] is not None and units[1] is not None and units[0] != units[1]:
        return False
    value_a, value_b = (n.value if isinstance(n, Quantity) else n for n in (a, b))
    return _same(value_a, value_b)


def _same_family(a: Family, b: Family) -> bool:
    """Families with the name of the bound variable left open."""
    bound_a, bound_b = bound_names.bound_variable(a), bound_names.bound_variable(b)
    if bound_a is None or bound_b is None:
        return False
    bodies = rename(a.body, bound_a, "bound"), rename(b.body, bound_b, "bound")
    conditions = rename(a.condition, bound_a, "bound"), rename(b.condition, bound_b, "bound")
    return _same(*bodies) and _same(*conditions)


def _same_set(a: Node, b: Node) -> bool:  # noqa: PLR0911 -- one return per kind of set
    try:
        return same_real_set(a, b)
    except NoValueError:
        pass
    if isinstance(a, Family) and isinstance(b, Family):
        return _same_family(a, b)
    if isinstance(a, Relation) and isinstance(b, Relation):
        return _same_chain(a, b) or _same_chain(_mirrored(a), b)
    if isinstance(a, SetOperation) and isinstance(b, SetOperation) and a.op == b.op:
        (w, x), (y, z) = a.args, b.args
        crossed = a.op != "difference" and _same(w, z) and _same(x, y)
        return (_same(w, y) and _same(x, z)) or crossed
    if isinstance(a, Bracket) and isinstance(b, Bracket):
        return _same_ordered(a, b)
    if isinstance(a, Listing) and isinstance(b, Listing):
        return same_listing(a, b, same)
    return False


def _same_chain(a: Relation, b: Relation) -> bool:
    return a.ops == b.ops and all(_same(x, y) for x, y in zip(a.sides, b.sides, strict=True))


def _mirrored(a: Relation) -> Relation:
    return Relation(a.sides[::-1], tuple(_MIRRORED.get(op, op) for op in a.ops[::-1]))


def _same_ordered(a: Node, b: Node) -> bool:
    """Tuples and matrices keep their order; a column is also a tuple."""
    a, b = _with_columns(a, b)
    match a, b:
        case Bracket(), Bracket():
            return (a.opening, a.closing) == (b.opening, b.closing) and pairwise(a.items, b.items, same)
        case Matrix(), Matrix():
            shapes = [[len(row) for row in m.rows] for m in (a, b)]
            return shapes[0] == shapes[1] and all(pairwise(x, y, same) for x, y in zip(a.rows, b.rows, strict=True))
        case (Matrix(rows=rows), Bracket() as bracket) | (Bracket() as bracket, Matrix(rows=rows)):
            column = tuple(entry for row in rows for entry in row)
            return (len(rows) == 1 or len(rows[0]) == 1) and is_tuple(bracket) and pairwise(column, bracket.items, same)
        case (Matrix(rows=((entry,),)), other) | (other, Matrix(rows=((entry,),))):
            return _same(entry, other)
        case _:
            return isinstance(a, Call) and isinstance(b, Call) and a.op == b.op and pairwise(a.args, b.args, same)


def _with_columns(a: Node, b: Node) -> tuple[Node, Node]:
    """Rows in brackets as a matrix and unit vectors as a column, where the other side is one."""
    for x, y in ((a, b), (b, a)):
        size = len(x.rows) if isinstance(x, Matrix) else len(x.items) if isinstance(x, Bracket) else 0
        column = as_column(y, size)
        if column is not None:
            return x, column
    if isinstance(a, Matrix) != isinstance(b, Matrix):
        return _rows_as_matrix(a), _rows_as_matrix(b)
    return a, b


def _rows_as_matrix(node: Node) -> Node:
    """`[[1,2],[3,4]]` as a matrix."""
    if not isinstance(node, Bracket) or not all(isinstance(row, Bracket) for row in node.items):
        return node
    rows = tuple(row.items for row in node.items if isinstance(row, Bracket))
    return Matrix(rows) if len({len(row) for row in rows}) == 1 else node


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

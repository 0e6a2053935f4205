"""Sets of real numbers as unions of disjoint intervals: what intervals, inequalities and finite sets denote."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from evaluators.grading.algebra.approximate import real_value
from evaluators.grading.algebra.limits import NoValueError
from evaluators.grading.algebra.nodes import (
    Bracket,
    Call,
    Domain,
    Family,
    Listing,
    Node,
    Relation,
    SetOperation,
    Sym,
    Text,
    variables,
)
from evaluators.grading.algebra.precision import mp, mpf
from evaluators.grading.algebra.values import real_constant

_INEQUALITIES = frozenset({"<", "<=", ">", ">=", "!="})
_FUNCTION_NAMES = frozenset("fgh")
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`; each end belongs to it or not."""

    low: Any
    has_low: bool
    high: Any
    has_high: bool


RealSet = list[Interval]
_ALL = [Interval(-mp.inf, False, mp.inf, False)]


def is_real_set(node: Node) -> bool:  # noqa: PLR0911 -- one return per kind of node
    """Whether a node can only be meant as a set of reals (a plain pair in brackets could be a tuple)."""
    match node:
        case Bracket(opening=opening, closing=closing, items=items) if len(items) == 2:
            infinite = any(item in (Sym("infty"), Call("neg", (Sym("infty"),))) for item in items)
            return infinite or (opening, closing) not in (("(", ")"), ("[", "]"))
        case SetOperation() | Family():
            return True
        case Relation(ops=ops):
            return bool(_INEQUALITIES & set(ops))
        case Domain(name=name):
            return name in ("R", "empty")
        case Text(words=words):
            return words in ("real line", "empty")
        case Listing(items=items):
            return any(isinstance(item, Relation) and is_real_set(item) for item in items)
        case _:
            return False


def same_real_set(a: Node, b: Node) -> bool:
    """Whether two nodes are the same set of reals. Raises NoValueError where one is not such a set."""
    x, y = _union(_real_set(a)), _union(_real_set(b))
    return len(x) == len(y) and all(_same_interval(i, j) for i, j in zip(x, y, strict=True))


def _real_set(node: Node) -> RealSet:  # noqa: PLR0911 -- one return per kind of node
    match node:
        case Bracket(opening=opening, closing=closing, items=(low, high)):
            return [Interval(real_constant(low), opening == "[", real_constant(high), closing == "]")]
        case SetOperation(op=op, args=(left, right)):
            return _combine(op, _real_set(left), _real_set(right))
        case Domain(name="R") | Text(words="real line"):
            return _ALL
        case Domain(name="empty") | Text(words="empty"):
            return []
        case Family(body=Sym() | Relation(ops=("in",)), condition=Listing(items=items, joiner=joiner)):
            return _joined([_real_set(item) for item in items], joiner)
        case Family(body=Sym() | Relation(ops=("in",)), condition=condition):
            return _real_set(condition)
        case Relation(sides=(Sym(), members), ops=("in",)):
            return _real_set(members)
        case Relation():
            return _solutions(node)
        case Listing(items=items, joiner=joiner, braced=braced):
            if not braced and not all(is_real_set(item) for item in items):
                raise NoValueError("a list of values")
            return _listed([_real_set(item) for item in items], joiner)
        case _:
            value = real_constant(node)
            return [Interval(value, True, value, True)]


def _listed(sets: list[RealSet], joiner: str) -> RealSet:
    """`or` and commas unite, `and` intersects; so do commas where the union would be everything."""
    union: RealSet = [interval for one in sets for interval in one]
    common = _intersection(sets)
    everything = len(_union(union)) == 1 and _same_interval(_union(union)[0], _ALL[0])
    return common if (joiner == "and" and common) or (joiner == "," and everything) else union


def _joined(sets: list[RealSet], joiner: str) -> RealSet:
    """The conditions of a set, strictly: `or` unites, all else intersects."""
    if joiner == "or":
        return [interval for one in sets for interval in one]
    return _intersection(sets)


def _intersection(sets: list[RealSet]) -> RealSet:
    common = sets[0]
    for other in sets[1:]:
        common = _combine("intersection", common, other)
    return common


def _solutions(relation: Relation) -> RealSet:
    """Solutions of a chain of linear inequalities in one variable."""
    names = variables(relation)
    inner = relation.sides[1:-1]
    chained = len(inner) > 0 and any(variables(side) for side in (relation.sides[0], relation.sides[-1]))
    if len(names) != 1 or names <= _FUNCTION_NAMES or chained or not set(relation.ops) <= _INEQUALITIES | {"="}:
        raise NoValueError("not an inequality in one variable")
    (name,) = names
    found = _ALL
    for left, op, right in zip(relation.sides, relation.ops, relation.sides[1:], strict=False):
        found = _combine("intersection", found, _solution(left, op, right, name))
    return found


def _solution(left: Node, op: str, right: Node, name: str) -> RealSet:
    """Solutions of one inequality; `|A| < c` is `-c < A < c`."""
    match left, right:
        case (_, Call(op="abs")) if not isinstance(left, Call) or left.op != "abs":
            return _solution(right, _FLIPPED.get(op, op), left, name)
        case (Call(op="abs", args=(inner,)), bound) if not variables(bound):
            above = _solution(inner, op, bound, name)
            below = _solution(inner, _FLIPPED.get(op, op), Call("neg", (bound,)), name)
            within = op in ("<", "<=", "!=")
            return _combine("intersection", above, below) if within else above + below
        case _:
            return _linear_solutions(Call("sub", (left, right)), op, name)


def _linear_solutions(difference: Node, op: str, name: str) -> RealSet:
    at = [real_value(difference, {name: Fraction(k)}) for k in (0, 1, 2, 5)]
    slope = at[1] - at[0]
    if slope == 0 or any(abs(at[0] + k * slope - v) > mpf(10) ** -40 for k, v in zip((2, 5), at[2:], strict=True)):
        raise NoValueError("not linear")
    root = -at[0] / slope
    op = _FLIPPED.get(op, op) if slope < 0 else op
    below, above = Interval(-mp.inf, False, root, op == "<="), Interval(root, op == ">=", mp.inf, False)
    if op == "=":
        return [Interval(root, True, root, True)]
    return [below, above] if op == "!=" else [below] if op in ("<", "<=") else [above]


def _combine(op: str, a: RealSet, b: RealSet) -> RealSet:
    if op == "union":
        return a + b
    if op == "difference":
        b = _complement(_union(b))
    return [found for x in a for y in b if (found := _meet(x, y)) is not None]


def _complement(sets: RealSet) -> RealSet:
    low, has_low, gaps = -mp.inf, False, []
    for one in sets:
        gaps.append(Interval(low, has_low, one.low, not one.has_low))
        low, has_low = one.high, not one.has_high
    gaps.append(Interval(low, has_low, mp.inf, False))
    return [gap for gap in gaps if _meet(gap, gap) is not None]


def _meet(a: Interval, b: Interval) -> Interval | None:
    low, has_low = max((a.low, not a.has_low), (b.low, not b.has_low))
    high, has_high = min((a.high, a.has_high), (b.high, b.has_high))
    found = Interval(low, not has_low, high, has_high)
    return found if low < high or (low == high and found.has_low and found.has_high) else None


def _union(sets: RealSet) -> RealSet:
    """The same set as disjoint intervals in order."""
    merged: RealSet = []
    for one in sorted(sets, key=lambda i: (i.low, not i.has_low)):
        last = merged[-1] if merged else None
        if last is not None and (one.low < last.high or (one.low == last.high and (one.has_low or last.has_high))):
            high, has_high = max((last.high, last.has_high), (one.high, one.has_high))
            merged[-1] = Interval(last.low, last.has_low, high, has_high)
        else:
            merged.append(one)
    return merged


def _same_interval(a: Interval, b: Interval) -> bool:
    ends = (a.has_low, a.has_high) == (b.has_low, b.has_high)
    return ends and _same_end(a.low, b.low) and _same_end(a.high, b.high)


def _same_end(a: Any, b: Any) -> bool:
    return bool(a == b or (mp.isfinite(a - b) and abs(a - b) <= mpf(10) ** -35 * max(abs(a), abs(b))))

"""Names that are free: integers of a family of solutions, arbitrary constants, arguments of a function."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from evaluators.grading.algebra.approximate import approximate
from evaluators.grading.algebra.limits import NoValueError
from evaluators.grading.algebra.nodes import (
    Bracket,
    Call,
    Domain,
    Family,
    Listing,
    Node,
    Num,
    Quantity,
    Relation,
    Sym,
    variables,
    walk,
)
from evaluators.grading.algebra.precision import mp, mpf
from evaluators.grading.algebra.rewrite import rename, substitute
from evaluators.grading.algebra.values import coincide, equal

BOUND = "bound"
"""The name that a bound integer is given before two families are compared."""
_INTEGER_NAMES = frozenset("nkmlj") | {"N", "K"}
_ADDED_NAMES = frozenset({"C", "c", "K", "C_1", "c_1", "C_0", "c_0"})
_CONSTANT_NAMES = frozenset(
    {"C", "c", "K", "k", "D", "A", "B", "a", "b", "C_1", "c_1", "C_0", "c_0", "lambda", "alpha"}
)


def bound_variable(family: Family) -> str | None:
    """The variable that a family's condition speaks of."""
    match family.condition:
        case Relation(sides=(Sym(name=name), *_), ops=("in", *_)):
            return name
        case condition:
            names = variables(condition)
            return next(iter(names)) if len(names) == 1 else None


def over_integers(node: Node) -> Node | None:
    r"""The body of a family over all integers with its variable renamed, None where it is no such family."""
    match node:
        case Family(body=body, condition=Relation(sides=(Sym(name=name), Domain(name="Z")), ops=("in",))):
            return rename(body, name, BOUND)
        case Family(
            body=Sym() as unknown,
            condition=Listing(
                items=(
                    Relation(sides=(named, value), ops=("=",)),
                    Relation(sides=(Sym(name=name), Domain(name="Z")), ops=("in",)),
                )
            ),
        ) if named == unknown:
            return rename(value, name, BOUND)
        case _:
            return None


def only_integer(node: Node) -> str | None:
    """The one variable of an expression that stands for an integer."""
    names = variables(node) & _INTEGER_NAMES
    return next(iter(names)) if len(names) == 1 else None


def implied_integer(node: Node) -> str | None:
    r"""The integer variable of `2\pi k`, whose multiples of a turn say that it is one."""
    names = variables(node)
    turns = any(n == Sym("pi") or (isinstance(n, Quantity) and n.unit == "degree") for n in walk(node))
    candidates = names & _INTEGER_NAMES
    return next(iter(candidates)) if turns and len(candidates) == 1 and len(names) <= 2 else None


def same_progression(a: Node, b: Node) -> bool:
    r"""Whether `a + bound p` and `b + bound q` run through the same values: shifted by a step, or backwards."""
    if variables(a) != {BOUND} or variables(b) != {BOUND}:
        return False
    try:
        line, other_line = _line(a), _line(b)
        if line is None or other_line is None:
            return False
        (step, start), (other_step, other_start) = line, other_line
        forwards = coincide(step, other_step, {}) or coincide(step, Call("neg", (other_step,)), {})
        steps = approximate(Call("div", (Call("sub", (other_start, start)), step)), {})
        shift = Num(Fraction(int(mp.nint(mp.re(steps)))))
        return forwards and coincide(Call("add", (start, Call("mul", (shift, step)))), other_start, {})
    except (NoValueError, OverflowError):
        return False


def _line(node: Node) -> tuple[Node, Node] | None:
    """(step, start) of an expression that is linear in the bound variable."""
    at = [substitute(node, {BOUND: Fraction(k)}) for k in range(4)]
    steps = [Call("sub", (y, x)) for x, y in pairwise(at)]
    linear = all(coincide(steps[0], other, {}) for other in steps[1:])
    return (steps[0], at[0]) if linear and abs(approximate(steps[0], {})) > mpf(10) ** -40 else None


def same_up_to_constant(a: Node, b: Node) -> bool:
    """`x^2 + C` and `x^2 + c`: the name of an added constant is free."""
    names = _own_name(a, b), _own_name(b, a)
    if names[0] not in _ADDED_NAMES or names[1] not in _ADDED_NAMES or isinstance(a, Sym) or isinstance(b, Sym):
        return False
    if names[0] is None or names[1] is None or not (_adds(a, names[0]) and _adds(b, names[1])):
        return False
    return equal(a, rename(b, names[1], names[0]))


def with_constant_of(a: Node, b: Node) -> Node:
    """The second function with its arbitrary constant named as in the first, where each has one of its own."""
    names = _own_name(a, b), _own_name(b, a)
    return b if names[0] is None or names[1] is None else rename(b, names[1], names[0])


def with_arguments_of(a: Node, b: Node, value: Node) -> Node:
    """The value of the function `b(...)` in terms of the arguments of the function `a(...)`."""
    old, new = _arguments(b), _arguments(a)
    if old is None or new is None or len(old) != len(new):
        return value
    for index, name in enumerate(old):
        value = rename(value, name, f"argument{index}")
    for index, name in enumerate(new):
        value = rename(value, f"argument{index}", name)
    return value


def _arguments(label: Node) -> list[str] | None:
    match label:
        case Call(op="apply", args=(_, Sym(name=name))):
            return [name]
        case Call(op="apply", args=(_, Bracket(items=items))) if all(isinstance(item, Sym) for item in items):
            return [item.name for item in items if isinstance(item, Sym)]
        case _:
            return None


def _own_name(a: Node, b: Node) -> str | None:
    """The one constant that only the first mentions."""
    own = variables(a) - variables(b)
    return next(iter(own)) if len(own) == 1 and own <= _CONSTANT_NAMES else None


def _adds(node: Node, name: str) -> bool:
    match node:
        case Sym(name=found):
            return found == name
        case Call(op="add", args=(left, right)):
            return _adds(left, name) or _adds(right, name)
        case Call(op="sub", args=(left, _)):
            return _adds(left, name)
        case _:
            return False

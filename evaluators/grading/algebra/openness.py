"""What the exact reader compares only as text, so that it can say "equal" of it but not "different"."""

from __future__ import annotations

from evaluators.grading.algebra.nodes import Call, Matrix, Node, Num, Relation, Sym, children, variables, walk

_INEQUALITIES = frozenset({"<", "<=", ">", ">="})
_LINEAR = frozenset({"add", "sub", "neg", "abs", "mixed"})


def is_open(node: Node) -> bool:
    """Whether an answer holds an operation that is not worked out: integrals, limits, open series, solving."""
    return any(_is_open(inner) for inner in walk(node))


def _is_open(node: Node) -> bool:  # noqa: PLR0911 -- one return per operation
    match node:
        case Call(op="integral" | "limit"):
            return True
        case Call(op="sum" | "prod", args=(_, low, high, _)):
            return not (isinstance(low, Num) and isinstance(high, Num))
        case Call(op="div", args=(_, Call(op="mul", args=(Sym(name="d"), Sym())))):
            return True
        case Call(op="gcd" | "lcm"):
            return bool(variables(node))
        case Call(op=op, args=args):
            return op != "det" and any(isinstance(arg, Matrix) for arg in args)
        case Relation(ops=ops, sides=sides):
            return bool(_INEQUALITIES & set(ops)) and not all(_is_linear(side) for side in sides)
        case _:
            return False


def _is_linear(node: Node) -> bool:
    """Whether an expression is a sum of multiples of symbols."""
    match node:
        case Num() | Sym():
            return True
        case Call(op=op) if op in _LINEAR:
            return all(_is_linear(child) for child in children(node))
        case Call(op="mul", args=args):
            return all(_is_linear(arg) for arg in args) and sum(bool(variables(arg)) for arg in args) <= 1
        case Call(op="div", args=(above, below)):
            return _is_linear(above) and not variables(below)
        case _:
            return not variables(node)

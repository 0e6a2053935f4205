"""How a verdict came about, for people: what was extracted by which rule, both readings, and which reader decided."""

from __future__ import annotations

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.algebra.clean import clean
from evaluators.grading.algebra.nodes import Call, Node, Num, Sym, Text, children
from evaluators.grading.answer.extract import extract_with_rule
from evaluators.grading.equivalence import compare
from evaluators.grading.grade import Verdict
from evaluators.grading.readings import readings

_DECIDED = {
    "exact": "the exact reader",
    "symbolic": "the second reader (sympy); the exact one could not decide",
    "neither": "neither reader could decide, so it counts as incorrect",
}


def explanation(response: str, gold: str, kind: AnswerKind, verdict: Verdict, finish_reason: str | None = None) -> str:
    """Lines that say how `verdict` on a response came about."""
    answer, rule = extract_with_rule(response, kind, finish_reason)
    lines = [
        f"kind     {kind}",
        f"gold     {gold}",
        f"answer   {'none' if answer is None else answer}",
        f"rule     {rule}",
    ]
    if answer is not None and kind != "choice":
        lines += [f"gold as  {line}" for line in _readings(gold, kind)]
        lines += [f"read as  {line}" for line in _readings(answer, kind)]
        lines.append(f"exact    {compare(gold, answer, kind)}")
    if verdict.reader is not None:
        lines.append(f"decided  {_DECIDED[verdict.reader]}")
    return "\n".join([*lines, f"verdict  {verdict.status}"])


def _readings(text: str, kind: AnswerKind) -> list[str]:
    cleaned = clean(text)
    return [_shown(node) for node in readings(cleaned, kind)] or [f"words or what is not read: {cleaned!r}"]


def _shown(node: Node) -> str:
    """A tree in one line: `(add 1 (pow x 2))`."""
    match node:
        case Num(value=value):
            return str(value)
        case Sym(name=name):
            return name
        case Text(words=words):
            return f"'{words}'"
        case Call(op=op, args=args):
            return f"({' '.join([op, *map(_shown, args)])})"
        case _:
            inside = " ".join(map(_shown, children(node)))
            return f"[{type(node).__name__.lower()} {inside}]" if inside else repr(node)

"""Reading a dataset's row: public copies of one benchmark name the same field differently."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from evaluators.benchmarks.benchmark import AnswerKind, Question, Row

PROBLEM = ("problem", "question")
ANSWER = ("answer", "expected_answer")
IDENTIFIER = ("id", "unique_id", "record id", "problem_idx")


def fields_of(row: Row) -> dict[str, Any]:
    """The row's non-empty fields by lower-case name; members of an `extra` object count where the row has none."""
    extra = row.get("extra")
    merged = {**(extra if isinstance(extra, Mapping) else {}), **row}
    return {name.strip().lower(): value for name, value in merged.items() if value is not None and value != ""}


def first(fields: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that is there. Raises KeyError naming them all."""
    for name in names:
        if name in fields:
            return fields[name]
    raise KeyError(" or ".join(names))


def text_of(value: Any) -> str:
    """The value as text; a whole number loses its `.0` (142.0 is how a column of floats writes 142)."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def question_id(fields: Mapping[str, Any], index: int, benchmark: str) -> str:
    """The dataset's own identifier, else the row's index; a bare number gets the benchmark's name before it."""
    identifier = text_of(next((fields[name] for name in IDENTIFIER if name in fields), index))
    return f"{benchmark}-{identifier}" if identifier.isdigit() else identifier


def last_boxed(text: str) -> str | None:
    r"""The contents of the last `\boxed{...}` with balanced braces; None where there is none."""
    start = text.rfind(r"\boxed{")
    if start < 0:
        return None
    depth = 0
    for end in range(text.index("{", start), len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[text.index("{", start) + 1 : end].strip()
    return None


def answer_of(fields: Mapping[str, Any]) -> str:
    """The answer's field, else the last box of the worked solution. Raises KeyError where there is neither."""
    boxed = last_boxed(str(fields.get("solution", "")))
    if boxed and not any(name in fields for name in ANSWER):
        return boxed
    return text_of(first(fields, *ANSWER))


def whole_number(answer: str) -> str:
    """`27.0` as `27`; any other text unchanged."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", answer)


def integer_text(answer: str) -> str:
    """The integer in its shortest form (`025`, `25.0` and `$25^\\circ$` are 25). Raises ValueError for another text."""
    match = re.fullmatch(r"\$?\s*(-?\d+)(?:\.0*)?\s*(?:\^\{?\\circ\}?)?\s*\$?", answer)
    if match is None:
        raise ValueError(f"the answer {answer!r} is not an integer")
    return str(int(match.group(1)))


def math_question(row: Row, index: int, benchmark: str, kind: AnswerKind, metadata: Iterable[str] = ()) -> Question:
    """A question whose prompt is the problem itself.

    `metadata` names the fields that are kept with it. Raises KeyError naming a field that the row lacks.
    """
    fields = fields_of(row)
    return Question(
        id=question_id(fields, index, benchmark),
        prompt=str(first(fields, *PROBLEM)).strip(),
        gold=answer_of(fields),
        kind=kind,
        metadata={name: fields[name] for name in metadata if name in fields},
    )

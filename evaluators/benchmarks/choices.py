"""Multiple-choice questions in the layouts that public files have, and questions that a file repeats.

The layouts: the choices in the question's own text, a line each behind `A:`, `A.`, `(A)`, `1.` or `Option1:` (ARC,
CommonsenseQA, Winogrande, MMLU and GPQA as PASR's test set has them); a list `choices` or `options`, of texts or with
labels (the hub's copies); `question: {stem, choices}` (ARC's own files); `sentence`, `option1`, `option2`
(Winogrande's).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluators.benchmarks.benchmark import Question, Row
from evaluators.benchmarks.fields import fields_of, first, question_id, text_of

LETTERS = "ABCDEFGHIJ"
"""Letters that the grader reads."""
GOLD = ("answer", "answerkey", "ground_truth", "correct_answer", "label", "target")
TEXT = ("question", "problem", "sentence", "prompt")
LISTS = ("choices", "options")
_LABELLED = re.compile(r"\s*\(?(?P<label>[A-J]|\d{1,2}|[Oo]ption\s?\d{1,2})\)?\s?[:.)]\s*(?P<text>.*)")


class Parts(NamedTuple):
    """A question without its choices, and these with their labels."""

    stem: str
    choices: tuple[str, ...]
    labels: tuple[str, ...]


def choice_question(row: Row, index: int, benchmark: str) -> Question:
    """A row in any of the layouts, with its choices at A, B, C, ... in the file's order, as ARC's and CommonsenseQA's.

    Raises KeyError naming a field that the row lacks, ValueError where there are no choices, or none is the answer.
    """
    fields = fields_of(row)
    parts = _parts(fields)
    if not 2 <= len(parts.choices) <= len(LETTERS):
        raise ValueError(f"it has {len(parts.choices)} choices; 2 to {len(LETTERS)} can be graded")
    gold = _gold(first(fields, *GOLD), parts)
    return Question(
        id=question_id(fields, index, benchmark),
        prompt=parts.stem + _listed(parts.choices),
        gold=LETTERS[gold],
        kind="choice",
        metadata={"choices": list(parts.choices)},
    )


def combined(questions: Sequence[Question]) -> list[Question]:
    """The questions, each once: rows with the same text, choices and answer are wordings of the first of them.

    Their choices may be in any order. Rows with the same choices and another answer are questions of their own.
    """
    groups: dict[tuple[str, ...], list[Question]] = {}
    for question in questions:
        groups.setdefault(_asked(question), []).append(question)
    return [_with_wordings(group) for group in groups.values()]


def _with_wordings(group: Sequence[Question]) -> Question:
    if len(group) == 1:
        return group[0]
    wordings = [{"prompt": q.prompt, "gold": q.gold, "choices": q.metadata["choices"]} for q in group]
    return Question(
        id=group[0].id,
        prompt=group[0].prompt,
        gold=group[0].gold,
        kind=group[0].kind,
        metadata={**group[0].metadata, "wordings": wordings},
    )


def _asked(question: Question) -> tuple[str, ...]:
    """What two rows have in common that ask the same; a question with wordings stands for itself."""
    choices = question.metadata.get("choices")
    if choices is None or question.wordings > 1:
        return (question.id,)
    texts = [_plain(choice) for choice in choices]
    stem = _plain(question.prompt.removesuffix(_listed(choices)))
    return (stem, texts[LETTERS.index(question.gold)], *sorted(texts))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _listed(choices: Sequence[str]) -> str:
    return "".join(f"\n{letter}: {text}" for letter, text in zip(LETTERS, choices, strict=False))


def _parts(fields: Mapping[str, Any]) -> Parts:
    text = first(fields, *TEXT)
    if isinstance(text, Mapping):
        return _of_list(str(first(text, "stem", "text")), first(text, *LISTS))
    if found := next((fields[name] for name in LISTS if name in fields), None):
        return _of_list(str(text), found)
    if "option1" in fields:
        names = [f"option{number}" for number in range(1, len(LETTERS) + 1) if f"option{number}" in fields]
        labels = tuple(name.removeprefix("option") for name in names)
        return Parts(str(text).strip(), tuple(text_of(fields[name]) for name in names), labels)
    return _of_text(str(text))


def _of_list(stem: str, choices: Any) -> Parts:
    """Choices as texts, as {text: [...], label: [...]}, or as a list of {text, label}."""
    if isinstance(choices, Mapping) and isinstance(choices.get("text"), Sequence):
        texts, labels = choices["text"], choices.get("label") or LETTERS
    elif isinstance(choices, Mapping):
        texts, labels = list(choices.values()), list(choices)
    elif isinstance(choices, Sequence) and all(isinstance(choice, Mapping) for choice in choices):
        texts, labels = [choice["text"] for choice in choices], [choice["label"] for choice in choices]
    elif isinstance(choices, Sequence) and not isinstance(choices, str):
        texts, labels = choices, LETTERS
    else:
        raise ValueError("its choices must be a list of texts, or texts with labels")
    count = len(texts)
    return Parts(stem.strip(), tuple(map(text_of, texts)), tuple(_label(label) for label in labels[:count]))


def _of_text(text: str) -> Parts:
    """The choices at the end of the text, a line each behind its label; further lines belong to the choice above."""
    lines = text.strip().split("\n")
    matches = [_LABELLED.match(line) for line in lines]
    for start in range(len(lines) - 1, -1, -1):
        match = matches[start]
        if match is None or _label(match["label"]) not in ("A", "1"):
            continue
        family = LETTERS if _label(match["label"]) == "A" else [str(number) for number in range(1, len(LETTERS) + 1)]
        choices: list[str] = []
        for line, found in zip(lines[start:], matches[start:], strict=True):
            expected = family[len(choices)] if len(choices) < len(family) else None
            if found is not None and _label(found["label"]) == expected:
                choices.append(found["text"])
            else:
                choices[-1] += f"\n{line}"
        if len(choices) > 1:
            texts = tuple(choice.strip() for choice in choices)
            return Parts("\n".join(lines[:start]).strip(), texts, tuple(family[: len(texts)]))
    raise ValueError(
        "its text has no choices, a line each behind A:, B:, ... (or 1., (A), Option1:), and it has no list"
    )


def _label(label: Any) -> str:
    """A label in its shortest form: `2` of `Option2`, `B` of `(b)`."""
    return re.sub(r"^[Oo]ption\s?|[\s().:]", "", text_of(label)).upper()


def _gold(answer: Any, parts: Parts) -> int:
    """Which choice the answer is: by its label, by its text, or, where labels are letters, by its number from 0."""
    label = _label(answer)
    if label in parts.labels:
        return parts.labels.index(label)
    texts = [_plain(choice) for choice in parts.choices]
    if _plain(text_of(answer)) in texts:
        return texts.index(_plain(text_of(answer)))
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(texts):
        return answer
    raise ValueError(f"the answer {text_of(answer)!r} is none of its choices {', '.join(parts.labels)}")

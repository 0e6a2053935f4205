"""Whose response is it: generations to a benchmark's questions, by the question's text, its hash or its identifier."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence

from evaluators.benchmarks.benchmark import Question, Row
from evaluators.exchange.generation import Generation

_SHORTEST = 20
"""Characters that a question must have to be looked for inside a longer text."""


class Matcher:
    """Finds the question of a generation.

    A text that is a question's own, or contains exactly one question, decides; else an identifier or a hash does. An
    identifier alone may be another numbering of the same benchmark, so it gives way to the text. Among questions with
    the same text it decides; where it cannot, the first of them is meant.
    """

    def __init__(self, questions: Sequence[Question], rows: Sequence[Row] = ()) -> None:
        """`rows`, where given, are the dataset's rows of these questions, for tools that hash them."""
        self._texts: dict[str, list[Question]] = {}
        for question in questions:
            self._texts.setdefault(normalised(question.prompt), []).append(question)
        self._keys = _keys(questions, rows)
        self._found: dict[str, list[Question]] = {}
        self.by_id_alone = 0
        """Generations whose text is not their question's, matched by their identifier all the same."""

    def question_of(self, generation: Generation) -> Question | None:
        """The question that was answered; None where none matches."""
        by_text = self._by_text(generation.question) if generation.question else []
        if len(by_text) == 1:
            return by_text[0]
        by_key = next((self._keys[key] for key in generation.keys if key in self._keys), None)
        if by_text:
            return by_key if any(by_key is question for question in by_text) else by_text[0]
        self.by_id_alone += by_key is not None and generation.question is not None
        return by_key

    def _by_text(self, text: str) -> list[Question]:
        if text not in self._found:
            self._found[text] = self._search(normalised(text))
        return self._found[text]

    def _search(self, text: str) -> list[Question]:
        """The questions with this text, or with the only text of a question that it contains."""
        if text in self._texts:
            return self._texts[text]
        inside = [questions for own, questions in self._texts.items() if len(own) >= _SHORTEST and own in text]
        return inside[0] if len(inside) == 1 else []


def normalised(text: str) -> str:
    """A question's text with Unicode's compatible forms made one (NFKC) and white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def row_hash(row: Row) -> str:
    """lm-eval's doc_hash: SHA-256 of the row as JSON with an indent of 2."""
    return hashlib.sha256(json.dumps(row, indent=2, ensure_ascii=False, default=str).encode()).hexdigest()


def _keys(questions: Sequence[Question], rows: Sequence[Row]) -> Mapping[str, Question]:
    """Every name that a question goes by; one that two share is no name."""
    keys: dict[str, Question] = {}
    shared: set[str] = set()
    names = [_names(question) for question in questions]
    if len(rows) == len(questions):
        names = [(*own, row_hash(row)) for own, row in zip(names, rows, strict=True)]
    for question, own in zip(questions, names, strict=True):
        for name in set(own):
            if keys.setdefault(name, question) is not question:
                shared.add(name)
    return {name: question for name, question in keys.items() if name not in shared}


def _names(question: Question) -> tuple[str, ...]:
    text = question.prompt.encode()
    return (
        question.id,
        question.id.rpartition("-")[2],  # the dataset's own number, before which the benchmark's name was put
        hashlib.sha256(text).hexdigest(),
        hashlib.md5(text, usedforsecurity=False).hexdigest(),
        hashlib.sha256(text + question.gold.encode()).hexdigest(),
    )

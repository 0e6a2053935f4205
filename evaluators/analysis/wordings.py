"""Answers of a question that its samples ask in several wordings, where one letter stands for several choices."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from evaluators.benchmarks.benchmark import AnswerKind, Question
from evaluators.grading.answer.choice import meant
from evaluators.records.schema import Sample


def in_texts(question: Question, samples: Sequence[Sample | None]) -> list[Sample | None]:
    """The samples with what their letters stand for as their answers, where the question has several wordings."""
    if question.wordings == 1:
        return list(samples)
    return [
        None if sample is None else dataclasses.replace(sample, answer=text_of(question, sample.sample, sample.answer))
        for sample in samples
    ]


def text_of(question: Question, sample: int, answer: str | None) -> str | None:
    """What that sample's answer stands for; as it is where the question has one wording."""
    if answer is None or question.wordings == 1:
        return answer
    return meant(answer, question.as_asked(sample).metadata["choices"])


def gold_text(question: Question) -> str:
    """The gold answer whatever the wording: its text where there are several."""
    return text_of(question, 0, question.as_asked(0).gold) or question.gold


def same_texts(answers: Sequence[str | None], kind: AnswerKind) -> list[int]:
    """The class of each answer by its words alone, as `evaluators.grading.classes`."""
    numbers: dict[str, int] = {}
    plain = [None if answer is None else " ".join(answer.split()).casefold() for answer in answers]
    return [-1 if text is None else numbers.setdefault(text, len(numbers)) for text in plain]

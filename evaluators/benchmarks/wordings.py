"""Questions that a dataset repeats in several wordings: how many samples ask them all, and how they are reworded."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence

from evaluators.benchmarks.benchmark import Question

log = logging.getLogger(__name__)


def whole_rounds(average: int, questions: Sequence[Question]) -> int:
    """K: the smallest number of samples, at least `average`, that asks every wording equally often.

    Where questions are not repeated equally often, no K does; it stays as it is, which a warning says.
    """
    counts = {question.wordings for question in questions}
    if len(counts) > 1:
        repeated = sum(question.wordings > 1 for question in questions)
        log.warning(
            "%d of %d questions are repeated, not all equally often: each is one question, and its samples ask its "
            "wordings in turn; --average %d asks every one",
            repeated,
            len(questions),
            max(counts),
        )
        return average
    (wordings,) = counts or {1}
    k = -(-average // wordings) * wordings
    if k != average:
        log.warning(
            "every question is there in %d wordings: %d questions with K = %d samples, which ask them in turn",
            wordings,
            len(questions),
            k,
        )
    return k


def reworded(question: Question, change: Callable[[str], str]) -> Question:
    """The question with every prompt changed."""
    metadata = question.metadata
    if question.wordings > 1:
        wordings = [{**wording, "prompt": change(wording["prompt"])} for wording in metadata["wordings"]]
        metadata = {**metadata, "wordings": wordings}
    return dataclasses.replace(question, prompt=change(question.prompt), metadata=metadata)

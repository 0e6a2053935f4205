"""GPQA (Rein et al. 2023): graduate-level science questions with four options; diamond is the hard core of 198.

A row: {"Record ID": "rec0...", "Question": "...", "Correct Answer": "...", "Incorrect Answer 1": "...",
"Incorrect Answer 2": "...", "Incorrect Answer 3": "...", "Subdomain": "Organic Chemistry"}
"""

from __future__ import annotations

import hashlib

from evaluators.benchmarks.benchmark import Benchmark, Question, Row, Source
from evaluators.benchmarks.fields import fields_of, first, question_id, text_of

LETTERS = "ABCD"
OPTIONS = ("correct answer", "incorrect answer 1", "incorrect answer 2", "incorrect answer 3")
REVISION = "633f5ee89ab8ad4522a9f850766b73f62147ffdd"


def option_order(seed: int, identifier: str) -> list[int]:
    """Which of OPTIONS stands at A, B, C, D: a uniform permutation, from nothing but its arguments.

    Options are permuted by position, not by text: two of the diamond questions have two identical wrong options.
    """
    return sorted(range(len(OPTIONS)), key=lambda i: hashlib.sha256(f"{seed}\x1f{identifier}\x1f{i}".encode()).digest())


def parse_row(row: Row, index: int, seed: int) -> Question:
    """A row of the public table. Raises KeyError naming a field that it lacks."""
    fields = fields_of(row)
    identifier = question_id(fields, index, "gpqa")
    order = option_order(seed, identifier)
    options = [text_of(first(fields, name)) for name in OPTIONS]
    listed = "\n".join(f"{letter}) {options[i]}" for letter, i in zip(LETTERS, order, strict=True))
    return Question(
        id=identifier,
        prompt=f"{str(first(fields, 'question')).strip()}\n\n{listed}",
        gold=LETTERS[order.index(0)],
        kind="choice",
        metadata={"option_order": order, "subdomain": fields.get("subdomain")},
    )


BENCHMARK = Benchmark(
    name="gpqa",
    title="Graduate-level Google-proof Q&A",
    kind="choice",
    versions={
        name: Source(
            repository="Idavidrein/gpqa",
            split="train",
            questions=questions,
            config=f"gpqa_{name}",
            revision=REVISION,
            gated=True,
        )
        for name, questions in (("diamond", 198), ("main", 448), ("extended", 546))
    },
    system_prompt=(
        "Answer the following multiple choice question. Think step by step before answering. The last line of your"
        " response must be 'Answer: $LETTER' (without quotes), where LETTER is one of A, B, C, D."
    ),
    parse_row=parse_row,
)

if __name__ == "__main__":
    from evaluators.cli import main

    raise SystemExit(main(BENCHMARK))

"""AIME: 30 competition problems a year (I and II, 15 each); every answer is an integer from 0 to 999.

A row: {"problem_idx": 1, "problem": "Find the sum of all integer bases ...", "answer": 70}
"""

from __future__ import annotations

import dataclasses

from evaluators.benchmarks.benchmark import Benchmark, Question, Row, Source
from evaluators.benchmarks.fields import integer_text, math_question
from evaluators.benchmarks.prompts import REASON_AND_BOX


def parse_row(row: Row, index: int, seed: int) -> Question:
    """A row of any public copy. Raises KeyError naming a lacking field, ValueError for a non-integer answer."""
    question = math_question(row, index, "aime", "integer", metadata=("url", "year", "problem_type"))
    return dataclasses.replace(question, gold=integer_text(question.gold))


BENCHMARK = Benchmark(
    name="aime",
    title="American Invitational Mathematics Examination",
    kind="integer",
    versions={
        "2024": Source(
            repository="HuggingFaceH4/aime_2024",
            split="train",
            questions=30,
            revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
            content="e15eeb2664fed4262bbc02b59f7870f8c1cbb40a4f7ab8941acf146a587087e6",
        ),
        "2025": Source(
            repository="MathArena/aime_2025",
            split="train",
            questions=30,
            revision="c94da77eb22bbd6439e62a323bec18493a421302",
            answers="a0239316151158f3806ad95fec73b0b2189857a41968a29ef2f334aaef4fd367",
        ),
        "2026": Source(
            repository="MathArena/aime_2026",
            split="train",
            questions=30,
            revision="d2de22f3c656b4f56cf8981212186377d1e23bc3",
            answers="0e33319f8ba6bfae2f410bb1d44ebbcdb5f8320b042c9ce42cebb17b213e8511",
        ),
    },
    system_prompt=REASON_AND_BOX,
    parse_row=parse_row,
)

if __name__ == "__main__":
    from evaluators.cli import main

    raise SystemExit(main(BENCHMARK))

"""HMMT (Harvard-MIT Mathematics Tournament): final-answer problems, answers in LaTeX, some with several values.

A row: {"problem_idx": 1, "problem": "Compute the sum of ...", "answer": "103", "problem_type": ["Number Theory"]}
"""

from __future__ import annotations

from evaluators.benchmarks.benchmark import Benchmark, Question, Row, Source
from evaluators.benchmarks.fields import math_question
from evaluators.benchmarks.prompts import REASON_AND_BOX


def parse_row(row: Row, index: int, seed: int) -> Question:
    """A row of any public copy. Raises KeyError naming a field that it lacks."""
    return math_question(row, index, "hmmt", "latex", metadata=("problem_type",))


BENCHMARK = Benchmark(
    name="hmmt",
    title="Harvard-MIT Mathematics Tournament",
    kind="latex",
    versions={
        "feb2025": Source(
            repository="MathArena/hmmt_feb_2025",
            split="train",
            questions=30,
            revision="6fdc4277120810ff75aa22d2d5489b91f7a262a1",
        ),
        "nov2025": Source(
            repository="MathArena/hmmt_nov_2025",
            split="train",
            questions=30,
            revision="118dbfb45c4c9467c672268ed55166642897aa46",
        ),
        "feb2026": Source(
            repository="MathArena/hmmt_feb_2026",
            split="train",
            questions=33,
            revision="02fba4f74d8e68e73e66a02d540fd979c05c274c",
        ),
    },
    system_prompt=REASON_AND_BOX,
    parse_row=parse_row,
)

if __name__ == "__main__":
    from evaluators.cli import main

    raise SystemExit(main(BENCHMARK))

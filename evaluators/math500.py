"""MATH-500: 500 problems of the MATH test set (Lightman et al. 2023), answers in LaTeX.

A row: {"problem": "Convert the point $(0,3)$ ...", "answer": "\\left( 3, \\frac{\\pi}{2} \\right)",
"subject": "Precalculus", "level": 2, "unique_id": "test/precalculus/807.json"}
"""

from __future__ import annotations

from evaluators.benchmarks.benchmark import Benchmark, Question, Row, Source
from evaluators.benchmarks.fields import math_question
from evaluators.benchmarks.prompts import REASON_AND_BOX


def parse_row(row: Row, index: int, seed: int) -> Question:
    """A row of any public copy. Raises KeyError naming a field that it lacks."""
    return math_question(row, index, "math500", "latex", metadata=("subject", "level"))


BENCHMARK = Benchmark(
    name="math500",
    title="MATH-500",
    kind="latex",
    versions={
        "test": Source(
            repository="HuggingFaceH4/MATH-500",
            split="test",
            questions=500,
            revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
            content="1f6d7f064c455e7848829acb05475306440310ac383f656a10e4fad33150d184",
        )
    },
    system_prompt=REASON_AND_BOX,
    parse_row=parse_row,
)

if __name__ == "__main__":
    from evaluators.cli import main

    raise SystemExit(main(BENCHMARK))

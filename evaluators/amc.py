"""AMC 12: 83 problems of 2022 and 2023, or the 40 of 2023, reworded to have a number as the answer.

A row: {"id": 0, "problem": "$\\frac{m}{n}$ is the ...", "answer": 142.0, "url": "https://artofproblemsolving.com/..."}
"""

from __future__ import annotations

import dataclasses

from evaluators.benchmarks.benchmark import Benchmark, Question, Row, Source
from evaluators.benchmarks.fields import math_question, whole_number
from evaluators.benchmarks.prompts import REASON_AND_BOX


def parse_row(row: Row, index: int, seed: int) -> Question:
    """A row of any public copy. Raises KeyError naming a field that it lacks."""
    question = math_question(row, index, "amc", "latex", metadata=("url",))
    return dataclasses.replace(question, gold=whole_number(question.gold))


BENCHMARK = Benchmark(
    name="amc",
    title="American Mathematics Competitions 12",
    kind="latex",
    versions={
        "2022-2023": Source(
            repository="AI-MO/aimo-validation-amc",
            split="train",
            questions=83,
            revision="69d78a4a2c840e82d69af6bc742bda09005f6316",
            answers="cb96ef45d39fb671d84e80d12891c85ee6f471f5f4474d9d584223b07024e4ee",
        ),
        "2023": Source(
            repository="math-ai/amc23",
            split="test",
            questions=40,
            revision="80815d37005feb82cd7f8fbc6901d5d3eff43057",
            answers="395f5c1282d3240db046ebebbda62ecb1515401edc317595d195891a78895d7c",
        ),
    },
    system_prompt=REASON_AND_BOX,
    parse_row=parse_row,
)

if __name__ == "__main__":
    from evaluators.cli import main

    raise SystemExit(main(BENCHMARK))

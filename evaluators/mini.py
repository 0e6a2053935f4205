"""mini: short arithmetic and word problems, written for this project; it needs no network.

The problems were chosen so that the embedded model (SmolLM2-135M-Instruct, 4 bits) solves about half of them when it
decodes greedily: room to get better and to get worse.

A row: {"id": "mini-01", "problem": "What is 2 + 3?", "answer": "5", "expression": "2 + 3"}
"""

from __future__ import annotations

from evaluators.benchmarks.benchmark import Benchmark, Question, Row
from evaluators.benchmarks.fields import math_question


def parse_row(row: Row, index: int, seed: int) -> Question:
    """A row of data/mini.jsonl. Raises KeyError naming a field that it lacks."""
    return math_question(row, index, "mini", "numeric")


BENCHMARK = Benchmark(
    name="mini",
    title="Small arithmetic and word problems, embedded in the project",
    kind="numeric",
    versions={},
    embedded="mini.jsonl",
    content="b5ba081a79f99e149dfa0125dfbd1bdc42b8e5da5fe03eed6c7a070f3dff649c",
    system_prompt="Solve the problem step by step. End with the line: The answer is NUMBER.",
    parse_row=parse_row,
    max_new_tokens=256,
)

if __name__ == "__main__":
    from evaluators.cli import main

    raise SystemExit(main(BENCHMARK))

"""GSM8K: 1319 grade-school word problems (Cobbe et al. 2021); the answer is the number after `####`.

A row: {"question": "Natalia sold clips to ...", "answer": "Natalia sold 48/2 = <<48/2=24>>24 clips ...\\n#### 72"}
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal, InvalidOperation

from evaluators.benchmarks.benchmark import Benchmark, Question, Row, Source
from evaluators.benchmarks.fields import math_question
from evaluators.benchmarks.prompts import REASON_AND_BOX


def parse_row(row: Row, index: int, seed: int) -> Question:
    """A row of any public copy. Raises KeyError naming a lacking field, ValueError where the answer is no number."""
    question = math_question(row, index, "gsm8k", "numeric")
    return dataclasses.replace(question, gold=final_number(question.gold))


def final_number(answer: str) -> str:
    """What stands after `####` (all of it where there is none), less `$` and thousands separators."""
    number = answer.rsplit("####", 1)[-1].strip().replace(",", "").replace("$", "")
    try:
        Decimal(number)
    except InvalidOperation:
        raise ValueError(f"the answer {number[:60]!r} is not a number") from None
    return number


BENCHMARK = Benchmark(
    name="gsm8k",
    title="Grade School Math 8K",
    kind="numeric",
    versions={
        "test": Source(
            repository="openai/gsm8k",
            split="test",
            questions=1319,
            config="main",
            revision="740312add88f781978c0658806c59bc2815b9866",
            content="ae15b470676879d1b2ba1091dbaf2efe4fa74c29d6de1030d34c91b63633a925",
        )
    },
    system_prompt=REASON_AND_BOX,
    parse_row=parse_row,
)

if __name__ == "__main__":
    from evaluators.cli import main

    raise SystemExit(main(BENCHMARK))

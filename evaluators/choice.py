"""Multiple choice from a local file: ARC, CommonsenseQA, Winogrande, MMLU, GPQA in the layouts of their public copies.

A row: {"question": "Which state of matter has no definite volume?\\nA: gas\\nB: liquid\\nC: solid", "answer": "A"};
evaluators/benchmarks/choices.py lists the other layouts. A question that the file repeats, its choices in another
order, is one question, of which each sample asks another wording.
"""

from __future__ import annotations

from evaluators.benchmarks.benchmark import Benchmark, Question, Row
from evaluators.benchmarks.choices import choice_question, combined


def parse_row(row: Row, index: int, seed: int) -> Question:
    """A row of a user's file. Raises KeyError naming a field that it lacks, ValueError as `choice_question`."""
    return choice_question(row, index, "choice")


BENCHMARK = Benchmark(
    name="choice",
    title="Multiple choice from a local file",
    kind="choice",
    versions={},
    system_prompt=(
        "Answer the following multiple choice question. Think step by step before answering. The last line of your"
        " response must be 'Answer: $LETTER' (without quotes), where LETTER is the letter of the right choice."
    ),
    parse_row=parse_row,
    combine=combined,
)

if __name__ == "__main__":
    from evaluators.cli import main

    raise SystemExit(main(BENCHMARK))

"""Grade cases from standard input: {id, benchmark_kind, gold, response} a line to {id, status, answer} a line."""

from __future__ import annotations

import json
import re
import sys

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.pool.pool import GradingPool

_KINDS: dict[str, AnswerKind] = {"integer-aime": "integer", "numeric-gsm8k": "numeric", "choice-gpqa": "choice"}
_LIMIT = 1.5
"""Seconds a case, for each of the two readers."""


def kind_of(benchmark_kind: str, gold: str) -> AnswerKind:
    """How a case is graded; among adversarial ones a gold that is a letter says that letters were asked for."""
    if benchmark_kind == "adversarial" and re.fullmatch(r"[A-E]", gold.strip()):
        return "choice"
    return _KINDS.get(benchmark_kind, "latex")


def main() -> None:
    """Serve until standard input ends; a case that does not end in time is incorrect."""
    with GradingPool(workers=1, limit=_LIMIT, second_limit=_LIMIT) as pool:
        for line in sys.stdin:
            case = json.loads(line)
            kind = kind_of(case["benchmark_kind"], case["gold"])
            verdict = pool.submit(case["response"], case["gold"], kind).result()
            status = "incorrect" if verdict.status == "timeout" else verdict.status
            print(json.dumps({"id": case["id"], "status": status, "answer": verdict.answer}), flush=True)


if __name__ == "__main__":
    main()

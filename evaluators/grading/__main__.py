"""Grade cases from standard input: {id, benchmark_kind, gold, response} a line to {id, status, answer, reader} a line.

python -m evaluators.grading < cases.jsonl
python -m evaluators.grading --explain --gold '\\frac12' --kind latex < response.txt
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import get_args

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.explain import explanation
from evaluators.grading.grade import Verdict
from evaluators.grading.pool.pool import GradingPool
from srgen.command_line import Parser, called, command
from srgen.errors import SRGenError

_KINDS: dict[str, AnswerKind] = {"integer-aime": "integer", "numeric-gsm8k": "numeric", "choice-gpqa": "choice"}
_LIMIT = 1.5
"""Seconds a case, for each of the two readers."""


def kind_of(benchmark_kind: str, gold: str) -> AnswerKind:
    """How a case is graded; among adversarial ones a gold that is a letter says that letters were asked for."""
    if benchmark_kind == "adversarial" and re.fullmatch(r"[A-E]", gold.strip()):
        return "choice"
    return _KINDS.get(benchmark_kind, "latex")


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until standard input ends, or explain the verdict on one response; returns the exit status."""
    parser = Parser(
        prog=called("grade", "evaluators.grading"),
        description="Grade lines of JSON {id, benchmark_kind, gold, response} from standard input; a line "
        "{id, status, answer, reader} answers each. benchmark_kind is integer-aime, numeric-gsm8k, choice-gpqa or "
        "anything else for LaTeX; docs/grading.md explains all fields.",
    )
    parser.add_argument("--explain", action="store_true", help="explain the verdict on the response in standard input")
    parser.add_argument("--gold", help="with --explain: the gold answer")
    parser.add_argument("--kind", choices=get_args(AnswerKind), default="latex", help="with --explain: how to grade")
    options = parser.parse_args(arguments)
    if options.explain:
        if options.gold is None:
            parser.error("--explain needs --gold, the answer that the response is compared with")
        print(_explained(sys.stdin.buffer.read().decode(errors="replace"), options.gold, options.kind))
        return 0
    return _serve()


def _serve() -> int:
    """Answer line by line; a case that does not end in time is incorrect."""
    with GradingPool(workers=1, limit=_LIMIT, second_limit=_LIMIT) as pool:
        for number, line in enumerate(sys.stdin.buffer, start=1):
            if not line.strip():
                continue
            try:
                case = json.loads(line)
                response, gold = str(case["response"]), str(case["gold"])
                name, kind = case["id"], kind_of(str(case["benchmark_kind"]), gold)
            except (ValueError, KeyError, TypeError) as error:
                raise SRGenError(
                    f"line {number} is not a case ({_fault(error)}); "
                    "a case is a JSON object with id, benchmark_kind, gold and response"
                ) from None
            verdict = pool.submit(response, gold, kind).result()
            status = "incorrect" if verdict.status == "timeout" else verdict.status
            reply = {"id": name, "status": status, "answer": verdict.answer, "reader": verdict.reader}
            print(json.dumps(reply), flush=True)
    return 0


def _fault(error: Exception) -> str:
    """What a line lacks, in words."""
    match error:
        case KeyError():
            return f"it has no {error.args[0]!r}"
        case json.JSONDecodeError():
            return f"not JSON: {error.msg}"
        case TypeError():
            return "not an object"
    return "not UTF-8" if isinstance(error, UnicodeError) else str(error)


def _explained(response: str, gold: str, kind: AnswerKind) -> str:
    with GradingPool(workers=1) as pool:
        verdict: Verdict = pool.submit(response, gold, kind).result()
    return explanation(response, gold, kind, verdict)


if __name__ == "__main__":
    raise SystemExit(main())

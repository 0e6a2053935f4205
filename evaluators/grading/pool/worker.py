"""A grading process: JSON requests on standard input, JSON verdicts on standard output, bounded in time and memory.

Before the second reader is loaded and before it is asked, a line says so: each has a limit of its own.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any, TextIO

from evaluators.grading.equivalence import SecondReader, classes
from evaluators.grading.grade import grade

_SLACK = 5.0
"""Seconds beyond the limit after which a worker ends itself, should its pool be gone."""
_MODULE = "evaluators.grading.symbolic.comparison"
_LOADING = 60.0
"""Seconds that loading the second reader may take."""


def answer(request: dict[str, Any], second: SecondReader) -> dict[str, Any]:
    """The reply to one request: a verdict, or the classes of a list of answers."""
    if "answers" in request:
        return {"classes": classes(request["answers"], request["kind"], second if request["second"] else None)}
    verdict = grade(
        request["response"],
        request["gold"],
        request["kind"],
        request["finish_reason"],
        second,
        answer_format=request["answer_format"],
    )
    return {"status": verdict.status, "answer": verdict.answer, "reader": verdict.reader}


def _announced(replies: TextIO, limit: float) -> SecondReader:
    """The second reader, loaded when it is first asked, that announces what it begins."""

    def ask(gold: str, answer: str) -> bool | None:
        if _MODULE not in sys.modules:
            _begin("loading", replies, _LOADING)
        from evaluators.grading.symbolic.comparison import decide  # slow to import, and most answers never need it

        _begin("second", replies, limit)
        return decide(gold, answer)

    return ask


def _begin(stage: str, replies: TextIO, limit: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, limit + _SLACK)
    print(json.dumps({"stage": stage}), file=replies, flush=True)


def main(limit: float, second_limit: float, memory: int) -> None:
    """Serve until standard input ends. A case that exceeds `memory` bytes or its time ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(3_000)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    second = _announced(replies, second_limit)
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, limit + _SLACK)
        reply = answer(json.loads(line), second)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))

"""A grading process: JSON requests on standard input, JSON verdicts on standard output, bounded in time and memory."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

from evaluators.grading.equivalence import classes
from evaluators.grading.grade import grade

_SLACK = 5.0
"""Seconds beyond the limit after which a worker ends itself, should its pool be gone."""


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request: a verdict, or the classes of a list of answers."""
    if "answers" in request:
        return {"classes": classes(request["answers"], request["kind"])}
    verdict = grade(request["response"], request["gold"], request["kind"], request["finish_reason"])
    return {"status": verdict.status, "answer": verdict.answer}


def main(limit: float, memory: int) -> None:
    """Serve until standard input ends. A case that exceeds `memory` bytes or its time ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(3_000)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, limit + _SLACK)
        reply = answer(json.loads(line))
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))

"""A pool of grading processes that can be killed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Self

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.grade import Verdict
from evaluators.grading.pool.process import GradingProcess

_Task = tuple[dict[str, Any], Callable[[dict[str, Any] | None], None], Future[Any]]
_MEMORY = 800 * 2**20


class GradingPool:
    """Grades in `workers` processes, each verdict within `limit` seconds of its dispatch and `memory` bytes.

    Where the exact reader cannot decide, the second one has `second_limit` seconds more (and the time that loading it
    takes, once a process).
    A process that is late, too large or dead is replaced and its case is a `timeout`; no other case is touched.
    """

    def __init__(self, workers: int = 1, limit: float = 10.0, memory: int = _MEMORY, second_limit: float = 3.0) -> None:
        self._limit, self._second_limit, self._memory = limit, second_limit, memory
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._stopped = False
        self._processes: dict[int, GradingProcess] = {}
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._serve, args=(i,), daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, response: str, gold: str, kind: AnswerKind, finish_reason: str | None = None) -> Future[Verdict]:
        """The verdict on a response; `Verdict("timeout", None)` where the grader was stopped, never an exception."""
        future: Future[Verdict] = Future()
        request = {"response": response, "gold": gold, "kind": kind, "finish_reason": finish_reason}

        def resolve(reply: dict[str, Any] | None) -> None:
            future.set_result(Verdict("timeout", None) if reply is None else Verdict(**reply))

        self._put(request, resolve, future)
        return future

    def classes(self, answers: Sequence[str | None], kind: AnswerKind) -> list[int]:
        """As `grading.classes`, in a process, by both readers.

        Where that is stopped, by the exact reader alone; where that is stopped too, answers are the same only when
        their texts are.
        """
        for second in (True, False):
            future: Future[list[int] | None] = Future()

            def resolve(reply: dict[str, Any] | None, future: Future[list[int] | None] = future) -> None:
                future.set_result(None if reply is None else reply["classes"])

            self._put({"answers": list(answers), "kind": kind, "second": second}, resolve, future)
            found = future.result()
            if found is not None:
                return found
        return _classes_by_text(answers)

    def process_ids(self) -> list[int]:
        """The process behind each worker at this moment."""
        with self._lock:
            return [self._processes[index].process_id for index in sorted(self._processes)]

    def close(self) -> None:
        """Finish what was submitted, then end the processes."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def kill(self) -> None:
        """End the processes at once; what was not graded yet is a timeout."""
        with self._lock:
            self._stopped = True
            processes = list(self._processes.values())
        for process in processes:
            process.kill()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.kill()

    def _put(
        self, request: dict[str, Any], resolve: Callable[[dict[str, Any] | None], None], future: Future[Any]
    ) -> None:
        if self._stopped:
            resolve(None)
        else:
            self._tasks.put((request, resolve, future))

    def _serve(self, index: int) -> None:
        """One process after another: a thread takes a task when its process is free, so limits run from dispatch."""
        process = self._start(index)
        while (task := self._tasks.get()) is not None:
            request, resolve, future = task
            if not future.set_running_or_notify_cancel():
                continue
            if process is not None and not process.alive():
                process.kill()
                process = self._start(index)
            reply = None if process is None else process.ask(request)
            if reply is None and process is not None:
                process.kill()
                process = self._start(index)
            resolve(reply)
        if process is not None:
            process.kill()

    def _start(self, index: int) -> GradingProcess | None:
        with self._lock:
            if self._stopped:
                return None
            self._processes[index] = GradingProcess(self._limit, self._second_limit, self._memory)
            return self._processes[index]


def _classes_by_text(answers: Sequence[str | None]) -> list[int]:
    numbers: dict[str, int] = {}
    return [-1 if a is None else numbers.setdefault(a, len(numbers)) for a in answers]

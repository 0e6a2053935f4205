"""A pool of grading processes that can be killed."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self

from evaluators.benchmarks.benchmark import AnswerFormat, AnswerKind
from evaluators.grading.grade import Verdict
from evaluators.grading.pool.process import GradingProcess

_MEMORY = 800 * 2**20
_TOGETHER = 32
"""Requests that a process is sent at once at most."""
_BYTES = 32_768
"""Bytes of them, so that they and their replies fit into the pipes: then neither side waits for the other to read."""


@dataclass(frozen=True, slots=True)
class _Task:
    """A request on its way, and who waits for the reply."""

    line: bytes
    resolve: Callable[[dict[str, Any] | None], None]
    future: Future[Any]


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

    def submit(
        self,
        response: str,
        gold: str,
        kind: AnswerKind,
        finish_reason: str | None = None,
        answer_format: AnswerFormat = "free",
    ) -> Future[Verdict]:
        """The verdict on a response; `Verdict("timeout", None)` where the grader was stopped, never an exception."""
        future: Future[Verdict] = Future()
        request = {"response": response, "gold": gold, "kind": kind, "finish_reason": finish_reason}
        request["answer_format"] = answer_format

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
            process.end()
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
            self._tasks.put(_Task(json.dumps(request).encode() + b"\n", resolve, future))

    def _serve(self, index: int) -> None:
        """One process after another: a thread takes tasks when its process is free, so limits run from dispatch."""
        process = self._start(index)
        while batch := self._next():
            while batch:
                if process is not None and not process.alive():
                    process.kill()
                    process = self._start(index)
                together = _fitting(batch)
                answered = self._ask(process, together)
                if answered < len(together):
                    # The replies come in order: the first that is lacking is of the task that it failed at.
                    together[answered].resolve(None)
                    answered += 1
                    if process is not None:
                        process.kill()
                        process = self._start(index)
                del batch[:answered]
        if process is not None:
            process.kill()

    def _next(self) -> list[_Task]:
        """A process's share of the tasks that wait, at least one; none when the pool closes."""
        batch: list[_Task] = []
        share = min(_TOGETHER, -(-self._tasks.qsize() // len(self._threads)))
        while len(batch) < max(share, 1):
            try:
                task = self._tasks.get(block=not batch)
            except queue.Empty:
                break
            if task is None:
                if batch:
                    self._tasks.put(None)
                break
            if task.future.set_running_or_notify_cancel():
                batch.append(task)
        return batch

    def _ask(self, process: GradingProcess | None, tasks: Sequence[_Task]) -> int:
        """Tell each task its reply; how many there were before the process failed."""
        answered = 0
        for reply in process.ask([task.line for task in tasks]) if process is not None else ():
            tasks[answered].resolve(reply)
            answered += 1
        return answered

    def _start(self, index: int) -> GradingProcess | None:
        with self._lock:
            if self._stopped:
                return None
            self._processes[index] = GradingProcess(self._limit, self._second_limit, self._memory)
            return self._processes[index]


def _fitting(batch: Sequence[_Task]) -> Sequence[_Task]:
    """The first tasks that may be sent together, at least one."""
    sizes = itertools.accumulate(len(task.line) for task in batch)
    return batch[: max(1, sum(size <= _BYTES for size in sizes))]


def _classes_by_text(answers: Sequence[str | None]) -> list[int]:
    numbers: dict[str, int] = {}
    return [-1 if a is None else numbers.setdefault(a, len(numbers)) for a in answers]

"""A run that is being worked on: its folder is locked, its journal open, its clock running."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing
from typing import Protocol

from evaluators.benchmarks.benchmark import AnswerFormat, AnswerKind
from evaluators.grading import Verdict
from evaluators.records.journal import Journal, exclusive
from evaluators.records.schema import Sample, graded_text
from evaluators.running.dispatcher import Finished
from evaluators.running.entries import entry
from evaluators.running.folder import check_places, prepare
from evaluators.running.plan import Outcome, RunPlan
from evaluators.running.stopwatch import Stopwatch
from evaluators.running.tasks import Tasks
from srgen.engines.base import Request

Graded = tuple[Finished, Verdict | None]
"""A finished task with its verdict; None where there is nothing to grade."""


class Grader(Protocol):
    """Where verdicts come from, in their own time."""

    def submit(
        self,
        response: str,
        gold: str,
        kind: AnswerKind,
        finish_reason: str | None = None,
        answer_format: AnswerFormat = "free",
    ) -> Future[Verdict]:
        """Grade a response."""
        ...


class OpenRun:
    """One run between its folder and the workers."""

    def __init__(self, plan: RunPlan) -> None:
        """Lock the folder and read what it holds.

        Raises SRGenError where another process holds it, or it is not this run's, or damaged.
        """
        self.outcome = Outcome(plan)
        self._tasks = Tasks(plan)
        self._stopwatch: Stopwatch | None = None
        check_places(plan.directory, None)
        with ExitStack() as stack:
            stack.enter_context(exclusive(plan.directory))
            prepare(plan)
            self.journal = stack.enter_context(closing(Journal(plan.directory, record=plan.config.record_entropy)))
            self.owed = self._tasks.owed(self.journal.keys)
            self._held = stack.pop_all()
        self._open = len(self.owed)

    @property
    def complete(self) -> bool:
        """Whether every sample is in the journal."""
        return not self._open

    def request(self, task: str) -> Request:
        """What the engine is asked; the run's clock starts with the first."""
        if self._stopwatch is None:
            self._stopwatch = Stopwatch(self.outcome.plan.directory)
        return self._tasks.request(task)

    def grade(self, finished: Finished, grader: Grader) -> Future[Verdict] | None:
        """The verdict to come; None where nothing was generated."""
        completion = finished.done.completion if finished.done else None
        if completion is None or completion.finish_reason == "error":
            return None
        question = self._tasks.question(finished.task)
        answer_format = self.outcome.plan.config.data.answer_format
        text = graded_text(completion.text, completion.opening, completion.reasoning, answer_format)
        return grader.submit(text, question.gold, question.kind, completion.finish_reason, answer_format)

    def write(self, graded: Sequence[Graded]) -> list[Sample]:
        """Journal the samples, all at once. Raises OSError when the disk takes no more."""
        entries = [entry(self._tasks.sample(finished, verdict), finished.done) for finished, verdict in graded]
        self.journal.append(entries)
        self._open -= len(entries)
        samples = [item.sample for item in entries]
        self.outcome.failed += (sample for sample in samples if sample.status == "failed")
        return samples

    def tick(self) -> None:
        """Write the time so far, if it was not written just now."""
        if self._stopwatch is not None:
            self._stopwatch.tick()

    def stop_clock(self) -> None:
        """No time counts from here on."""
        if self._stopwatch is not None:
            self._stopwatch.save()
            self._stopwatch = None

    def close(self) -> None:
        """Close the journal and let go of the folder."""
        self._held.close()

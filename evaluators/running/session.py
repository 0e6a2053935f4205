"""The main loop of a run: tasks go to workers, completions to grading, verdicts to the journal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Protocol

from evaluators.benchmarks.benchmark import AnswerKind, Question
from evaluators.grading import Verdict
from evaluators.records.journal import Entry, Journal
from evaluators.records.schema import Sample
from evaluators.running.dispatcher import Dispatcher, Finished, Fleet
from evaluators.running.entries import entry
from evaluators.running.interrupts import Interrupts
from evaluators.running.progress import Progress
from evaluators.running.scheduler import Scheduler
from evaluators.running.stopwatch import Stopwatch
from evaluators.settings.run_config import RunConfig, sample_seed
from srgen.engines.base import Message, Request

POLL_SECONDS = 0.1
WRITE_SECONDS = 0.2
"""Verdicts are collected for so long before they are written together: the disk takes milliseconds each time."""


class Grader(Protocol):
    """Where verdicts come from, in their own time."""

    def submit(self, response: str, gold: str, kind: AnswerKind, finish_reason: str | None = None) -> Future[Verdict]:
        """Grade a response."""
        ...


class Tasks:
    """The samples of a run by the name that the scheduler knows them by, `<question id>/<sample>`."""

    def __init__(self, config: RunConfig, questions: Mapping[str, Question], system_prompt: str | None) -> None:
        self._config = config
        self._questions = questions
        self._system_prompt = system_prompt

    def owed(self, journal: Journal) -> list[str]:
        """Those that the journal does not hold: the first sample of every question, then the second, ..."""
        keys = ((question, sample) for sample in range(self._config.average) for question in self._questions)
        return [f"{question}/{sample}" for question, sample in keys if (question, sample) not in journal.keys]

    def question(self, task: str) -> Question:
        """The question that a task asks."""
        return self._questions[task.rpartition("/")[0]]

    def request(self, task: str) -> Request:
        """What the engine is asked."""
        question = self.question(task)
        system = (Message("system", self._system_prompt),) if self._system_prompt else ()
        return Request(
            id=task,
            prompt=(*system, Message("user", question.prompt)),
            sampling=self._config.sampling,
            seed=self._seed(task),
            srgen=self._config.srgen,
            record_entropy=self._config.record_entropy,
        )

    def sample(self, finished: Finished, verdict: Verdict | None) -> Sample:
        """The line of the journal for a finished task; without a verdict it has failed."""
        completion = finished.done.completion if finished.done else None
        return Sample(
            question_id=self.question(finished.task).id,
            sample=int(finished.task.rpartition("/")[2]),
            seed=self._seed(finished.task),
            prompt_tokens=completion.prompt_tokens if completion else 0,
            response=completion.text if completion else "",
            answer=verdict.answer if verdict else None,
            status=verdict.status if verdict else "failed",
            correct=verdict is not None and verdict.status == "correct",
            generated_tokens=len(completion.token_ids) if completion else 0,
            finish_reason=completion.finish_reason if completion else "error",
            reflections=len(completion.reflections) if completion else 0,
            seconds=round(completion.seconds, 3) if completion else 0.0,
            worker=finished.worker,
            error=completion.error if completion else finished.error,
        )

    def _seed(self, task: str) -> int:
        return sample_seed(self._config.seed, self.question(task).id, int(task.rpartition("/")[2]))


class Session:
    """One sitting of a run, from what the journal holds to its end or an interruption."""

    def __init__(
        self,
        tasks: Tasks,
        owed: list[str],
        *,
        config: RunConfig,
        fleet: Fleet,
        grader: Grader,
        journal: Journal,
    ) -> None:
        self._tasks = tasks
        self._scheduler = Scheduler(owed, config.execution.max_attempts, expected=len(fleet.names))
        self._fleet = fleet
        self._dispatcher = Dispatcher(self._scheduler, fleet, tasks.request, config.execution.worker_timeout)
        self._grader = grader
        self._journal = journal
        self._graded: SimpleQueue[tuple[Finished, Verdict | None]] = SimpleQueue()
        self._grading = 0
        self.failed: list[Sample] = []
        """Samples that were not generated, with the reason."""

    def run(self, interrupts: Interrupts, progress: Progress, stopwatch: Stopwatch) -> bool:
        """Work until all is journaled (True) or an interruption (False), which lets only the grading end."""
        written = time.monotonic()
        while self._scheduler.open and not interrupts.asked:
            self._generate(POLL_SECONDS)
            if time.monotonic() - written >= WRITE_SECONDS:
                self._write()
                progress.update(self._dispatcher.load())
                stopwatch.tick()
                written = time.monotonic()
        self._generate(0)
        self._fleet.close(at_once=interrupts.asked)
        while self._grading:
            self._write(block=True)
        progress.update(self._dispatcher.load())
        return not self._scheduler.open

    def _generate(self, seconds: float) -> None:
        """Take what the workers have finished and submit it for grading."""
        for finished in self._dispatcher.step(seconds):
            self._submit(finished)

    def _submit(self, finished: Finished) -> None:
        self._grading += 1
        completion = finished.done.completion if finished.done else None
        if completion is None or completion.finish_reason == "error":
            self._graded.put((finished, None))
            return
        question = self._tasks.question(finished.task)
        verdict = self._grader.submit(completion.text, question.gold, question.kind, completion.finish_reason)
        verdict.add_done_callback(lambda future: self._graded.put((finished, future.result())))

    def _write(self, *, block: bool = False) -> None:
        """Journal all that is graded by now, at once; with `block`, wait for the first."""
        entries: list[Entry] = []
        try:
            while True:
                finished, verdict = self._graded.get(block=block and not entries)
                sample = self._tasks.sample(finished, verdict)
                entries.append(entry(sample, finished.done))
        except Empty:
            self._journal.append(entries)
        self._grading -= len(entries)
        self.failed += (item.sample for item in entries if item.sample.status == "failed")

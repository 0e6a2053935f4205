"""The main loop: runs are opened in turn, tasks go to workers, completions to grading, verdicts to journals."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from evaluators.records.journal import Tally
from evaluators.records.schema import Sample
from evaluators.running.crew import Crew
from evaluators.running.dispatcher import Dispatcher, Finished, Fleet
from evaluators.running.folder import forget_stop
from evaluators.running.interrupts import Interrupts
from evaluators.running.open_run import Graded, Grader, OpenRun
from evaluators.running.plan import Outcome, RunPlan
from evaluators.running.progress import Progress
from evaluators.running.tasks import by_rounds
from srgen.engines.base import Request
from srgen.errors import SRGenError

POLL_SECONDS = 0.1
WRITE_SECONDS = 0.2
"""Verdicts are collected for so long before they are written together: the disk takes milliseconds each time."""
LOW_WATER = 5000
"""Tasks that a model's queue should hold; its next run is opened when there are fewer."""


@dataclass(frozen=True, slots=True)
class ModelRuns:
    """The runs of one model that are not open yet, who works on them, and who grades them."""

    crew: Crew
    waiting: deque[RunPlan]
    grader: Grader


class Watch(Protocol):
    """Who looks at the samples of all runs as they come, and knows when there are enough."""

    @property
    def settled(self) -> bool:
        """Whether no more samples are needed."""
        ...

    def opened(self, plan: RunPlan, *, complete: bool) -> None:
        """A run has been opened; its folder holds its earlier samples."""
        ...

    def written(self, plan: RunPlan, samples: Iterable[Sample]) -> None:
        """Samples of a run are in its journal."""
        ...

    def conclude(self) -> None:
        """The sitting ends; the runs that are not complete are summarised after this."""
        ...


class Session:
    """One sitting over one run or many, from what the journals hold to the end or an interruption."""

    def __init__(
        self,
        models: Sequence[ModelRuns],
        fleet: Fleet,
        conclude: Callable[[OpenRun], None],
        tally: Tally | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`conclude` takes each run that is complete or cannot go on; it must not take long.

        With `watch` all runs are open together, their samples are made in rounds, and none once it is settled.

        `tally` counts the samples that all runs hold already; without it, they are counted as runs are opened.
        """
        self._models = models
        self._fleet = fleet
        self._conclude = conclude
        self._watch = watch
        self._count_opened = tally is None
        self.tally = tally or Tally()
        self.refused: list[Outcome] = []
        """Runs that could not be opened, or never came to it."""
        self._dispatcher = Dispatcher([model.crew for model in models], fleet, self._request)
        self._runs: dict[OpenRun, ModelRuns] = {}
        self._run_of: dict[str, OpenRun] = {}
        self._graded: SimpleQueue[tuple[OpenRun, Graded]] = SimpleQueue()
        self._grading = 0

    def open_runs(self) -> bool:
        """Open runs while a queue is low; whether there is anything to generate."""
        for model in self._models:
            if self._watch:
                owed = [task for _ in range(len(model.waiting)) for task in self._open(model, model.waiting.popleft())]
                model.crew.scheduler.add(by_rounds(owed))
            while model.waiting and (model.crew.failure or model.crew.scheduler.queued < LOW_WATER):
                model.crew.scheduler.add(self._open(model, model.waiting.popleft()))
        return bool(self._open_tasks) and not (self._settled or (self._watch and self.refused))

    def run(self, interrupts: Interrupts, progress: Progress) -> None:
        """Work until all is journaled, or an interruption, which lets only the grading end."""
        written = time.monotonic()
        while self.open_runs() and not interrupts.asked:
            self._generate(POLL_SECONDS)
            if time.monotonic() - written >= WRITE_SECONDS:
                self._write()
                self._show(progress)
                written = time.monotonic()
        self._generate(0)
        self._fleet.close(at_once=interrupts.asked or self._settled)
        while self._grading:
            self._write(block=True)
        self._show(progress)

    def finish(self) -> None:
        """Conclude what is still open, and count as refused what never was."""
        if self._watch:
            self._watch.conclude()
        for run in tuple(self._runs):
            self._end(run)
        for model in self._models:
            self.refused += (Outcome(plan) for plan in model.waiting)
            model.waiting.clear()

    def abandon(self) -> None:
        """Let go of the runs' folders, as they are."""
        for run in self._runs:
            run.close()
        self._runs.clear()

    @property
    def _open_tasks(self) -> int:
        return sum(model.crew.scheduler.open for model in self._models)

    @property
    def _settled(self) -> bool:
        return self._watch is not None and self._watch.settled

    def _open(self, model: ModelRuns, plan: RunPlan) -> list[str]:
        """Open a run; the tasks that it owes, which are none where it cannot be opened."""
        if model.crew.failure:
            self.refused.append(Outcome(plan, failure=model.crew.failure))
            return []
        try:
            run = OpenRun(plan)
        except SRGenError as error:
            self.refused.append(Outcome(plan, failure=error))
            return []
        if self._count_opened:
            self.tally += run.journal.tally
        self._runs[run] = model
        self._run_of |= dict.fromkeys(run.owed, run)
        if self._watch:
            self._watch.opened(plan, complete=run.complete)
        else:
            forget_stop(plan)
        if run.complete:
            self._end(run)
        return run.owed

    def _show(self, progress: Progress) -> None:
        while self._dispatcher.news:
            progress.note(self._dispatcher.news.pop(0))
        progress.update(self._dispatcher.load(), self._dispatcher.tokens_in_flight())

    def _request(self, task: str) -> Request:
        return self._run_of[task].request(task)

    def _generate(self, seconds: float) -> None:
        """Take what the workers have finished and submit it for grading."""
        for finished in self._dispatcher.step(seconds):
            self._submit(finished)

    def _submit(self, finished: Finished) -> None:
        run = self._run_of.pop(finished.task)
        verdict = run.grade(finished, self._runs[run].grader)
        self._grading += 1
        if verdict is None:
            self._graded.put((run, (finished, None)))
        else:
            verdict.add_done_callback(lambda future: self._graded.put((run, (finished, future.result()))))

    def _write(self, *, block: bool = False) -> None:
        """Journal all that is graded by now, at once for each run; with `block`, wait for the first."""
        graded: dict[OpenRun, list[Graded]] = {}
        try:
            while True:
                run, item = self._graded.get(block=block and not graded)
                graded.setdefault(run, []).append(item)
        except Empty:
            pass
        for run, items in graded.items():
            self._grading -= len(items)
            samples = run.write(items)
            for sample in samples:
                self.tally.add(sample)
            if self._watch:
                self._watch.written(run.outcome.plan, samples)
            if run.complete:
                self._end(run)
        for run in self._runs:
            run.tick()

    def _end(self, run: OpenRun) -> None:
        model = self._runs.pop(run)
        run.stop_clock()
        run.outcome.complete = run.complete
        if not run.complete:
            run.outcome.failure = model.crew.failure
        self._conclude(run)

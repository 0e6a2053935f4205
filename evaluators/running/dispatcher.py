"""Drives the schedulers' policy with a fleet of workers: staffs devices, hands out, listens, replaces the dead."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluators.running.crew import Crew
from evaluators.running.devices import WorkerPlace
from evaluators.running.workers import (
    Beat,
    Died,
    Done,
    EngineFactory,
    Left,
    Order,
    Ready,
    Recall,
    Report,
    Resized,
    Returned,
    Stop,
    Work,
)
from srgen.engines.base import Request
from srgen.errors import ConfigError, SRGenError

LEAVING_SECONDS = 30.0
"""Time that a worker gets to release its device for the next model."""


class Fleet(Protocol):
    """Workers by the name of their place, wherever they run."""

    def start(self, place: WorkerPlace, load: EngineFactory) -> None:
        """Start a worker at a place where none is alive."""
        ...

    def send(self, name: str, order: Order) -> None:
        """Send an order to a worker that is alive; lost when it is dying."""
        ...

    def poll(self, seconds: float) -> list[tuple[str, Report]]:
        """Reports since the last call, in order per worker; waits up to `seconds` for the first.

        `Died` or `Left` is a worker's last; it is gone then.
        """
        ...

    def kill(self, name: str) -> None:
        """End a worker at once; none of its reports arrives any more."""
        ...

    def close(self, *, at_once: bool = False) -> None:
        """End all workers."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """A task that is off the queue: a completion, or the reason why there is none."""

    task: str
    worker: str
    done: Done | None
    error: str | None = None


@dataclass(slots=True)
class _Worker:
    """A worker that is alive."""

    crew: Crew
    place: WorkerPlace
    heard: float
    ready: bool = False
    leaving: bool = False
    """Told to stop, so that another model gets its devices."""
    tokens: int = 0
    """Tokens that the samples it holds have by now, as it last said."""

    @property
    def spare(self) -> bool:
        """Whether its model has nothing left for it."""
        scheduler = self.crew.scheduler
        return self.ready and not self.leaving and not scheduler.held(self.place.name) and not scheduler.waiting


class Dispatcher:
    """The main loop calls `step` until nothing is open. Models come in order: a later one gets what an earlier leaves.

    A crew whose model cannot be loaded fails; the others go on.
    """

    def __init__(
        self,
        crews: Sequence[Crew],
        fleet: Fleet,
        request_of: Callable[[str], Request],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._crews = crews
        self._fleet = fleet
        self._request_of = request_of
        self._clock = clock
        self._workers: dict[str, _Worker] = {}
        self._failing: dict[Crew, SRGenError] = {}
        """Crews that end with this step, and why."""
        self.news: list[str] = []
        """What has happened to workers; whoever shows it empties the list."""

    def tokens_in_flight(self) -> int:
        """Tokens of the samples that workers hold, as far as their engines say."""
        return sum(w.tokens for name, w in self._workers.items() if w.crew.scheduler.held(name))

    def load(self) -> dict[str, int | None]:
        """Tasks that each worker holds; None while it loads its model, or leaves it for the next."""
        return {
            name: len(worker.crew.scheduler.held(name)) if worker.ready and not worker.leaving else None
            for name, worker in sorted(self._workers.items())
        }

    def step(self, seconds: float) -> list[Finished]:
        """Wait up to `seconds` for news, act on all of it, and return the tasks that it finished."""
        for crew in self._crews:
            self._staff(crew)
        finished: list[Finished] = []
        for name, report in self._fleet.poll(seconds):
            if (worker := self._workers.get(name)) is not None:
                worker.heard = self._clock()
                finished += self._act(name, worker, report)
        for name in self._silent():
            self._fleet.kill(name)
            finished += self._lose(name, f"said nothing for {self._workers[name].crew.silence:g} seconds")
        # Only now: what its workers said in the same moment has been heard, and who said a last word is not killed.
        for crew, failure in self._failing.items():
            self._fail(crew, failure)
        self._failing.clear()
        for crew in self._crews:
            self._hand_out(crew)
        return finished

    def _act(self, name: str, worker: _Worker, report: Report) -> Iterable[Finished]:
        scheduler = worker.crew.scheduler
        if worker.leaving and not isinstance(report, Left | Died):
            return []  # it has no lease any more; an answer to what it was asked before may still come
        match report:
            case Ready(batch_size):
                worker.ready = True
                worker.crew.loaded(name, batch_size)
            case Beat(begun, tokens):
                worker.tokens = tokens
                for task in begun:
                    scheduler.begin(name, task)
            case Done(completion):
                if scheduler.complete(name, completion.id):
                    return [Finished(completion.id, name, report)]
            case Returned(ids):
                scheduler.give_back(name, ids)
            case Resized(batch_size):
                self.news.append(f"worker {name} was out of memory and goes on with {batch_size} samples at a time")
                scheduler.resize(name, batch_size)
            case Left():
                self._forget(name)
            case Died(reason, fatal):
                if not fatal:
                    return self._lose(name, reason)
                self._forget(name)
                scheduler.lose(name)
                self._failing.setdefault(worker.crew, ConfigError(reason))
        return []

    def _staff(self, crew: Crew) -> None:
        """Start workers while tasks wait and devices are free, or held by workers that have nothing left to do."""
        wanted = crew.scheduler.queued - sum(not w.ready for w in self._workers.values() if w.crew is crew)
        if wanted <= 0 or crew.failure:
            return
        try:
            places = crew.places()
        except SRGenError as error:
            self._fail(crew, error)
            return
        for place in places:
            if wanted <= 0:
                return
            holders = [worker for worker in self._workers.values() if worker.place.devices & place.devices]
            if any(worker.crew is crew or not (worker.spare or worker.leaving) for worker in holders):
                continue
            wanted -= 1
            for worker in holders:
                self._release(worker)
            if not holders:
                self._start(crew, place)

    def _start(self, crew: Crew, place: WorkerPlace) -> None:
        self._workers[place.name] = _Worker(crew, place, self._clock())
        self._count(crew)
        self._fleet.start(place, crew.engine(place))

    def _release(self, worker: _Worker) -> None:
        """Have a worker leave its devices; they are free once it has said that it left."""
        if not worker.leaving:
            worker.leaving = True
            worker.crew.scheduler.lose(worker.place.name)
            self._fleet.send(worker.place.name, Stop())

    def _hand_out(self, crew: Crew) -> None:
        for name, tasks in crew.scheduler.hand_out().items():
            self._fleet.send(name, Work(tuple(self._request_of(task) for task in tasks)))
        for name, count in crew.scheduler.recalls().items():
            self._fleet.send(name, Recall(count))

    def _silent(self) -> list[str]:
        now = self._clock()
        return [
            name
            for name, worker in self._workers.items()
            if now - worker.heard > (LEAVING_SECONDS if worker.leaving else worker.crew.silence)
            and (worker.leaving or not worker.ready or worker.crew.scheduler.held(name))
        ]

    def _lose(self, name: str, reason: str) -> list[Finished]:
        """Take back a dead worker's tasks; return those that have had their last attempt."""
        worker, crew = self._workers[name], self._workers[name].crew
        if not worker.ready:
            crew.died_loading(name)
        failed = crew.scheduler.lose(name)
        self._forget(name)
        replaced = any(place.name == name for place in crew.places())
        self.news.append(f"worker {name} is gone ({reason}); {'another takes its place' if replaced else 'given up'}")
        if not crew.places() and not any(other.crew is crew for other in self._workers.values()):
            self._failing.setdefault(
                crew,
                SRGenError(f"no worker gets as far as generating; the last one's word: {reason} (see the run's logs)"),
            )
        error = f"lost with its worker {crew.scheduler.max_attempts} times, at last: {reason}"
        return [Finished(task, name, None, error) for task in failed]

    def _fail(self, crew: Crew, failure: SRGenError) -> None:
        """End the crew; its tasks are dropped, and what its workers have not handed over is lost."""
        for name in [name for name, worker in self._workers.items() if worker.crew is crew]:
            del self._workers[name]
            crew.scheduler.lose(name)
            self._fleet.kill(name)
        crew.fail(failure)

    def _forget(self, name: str) -> None:
        self._count(self._workers.pop(name).crew)

    def _count(self, crew: Crew) -> None:
        crew.scheduler.expected = max(1, sum(w.crew is crew and not w.leaving for w in self._workers.values()))

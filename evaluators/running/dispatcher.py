"""Drives the scheduler's policy with a fleet of workers: hands out, listens, replaces the dead and the silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from evaluators.running.scheduler import Scheduler
from evaluators.running.workers import Beat, Died, Done, Order, Ready, Recall, Report, Resized, Returned, Work
from srgen.engines.base import Request
from srgen.errors import ConfigError, SRGenError

LOADING_DEATHS = 5
"""A worker that dies so many times in a row before it is ready is given up."""


class Fleet(Protocol):
    """Workers by name, wherever they run."""

    @property
    def names(self) -> tuple[str, ...]:
        """All workers that may be started."""
        ...

    def start(self, name: str) -> None:
        """Start a worker that is not alive."""
        ...

    def send(self, name: str, order: Order) -> None:
        """Send an order to a worker that is alive; lost when it is dying."""
        ...

    def poll(self, seconds: float) -> list[tuple[str, Report]]:
        """Reports since the last call, in order per worker; waits up to `seconds` for the first. `Died` is the last."""
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


class Dispatcher:
    """The run's main loop calls `step` until nothing is open. Raises SRGenError when no worker can be had."""

    def __init__(
        self,
        scheduler: Scheduler,
        fleet: Fleet,
        request_of: Callable[[str], Request],
        silence: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`silence`: seconds without a report after which a worker that loads or holds work is killed."""
        self._scheduler = scheduler
        self._fleet = fleet
        self._request_of = request_of
        self._silence = silence
        self._clock = clock
        self._heard = dict.fromkeys(fleet.names, clock())
        self._ready: set[str] = set()
        self._loading_deaths = dict.fromkeys(fleet.names, 0)
        for name in fleet.names:
            fleet.start(name)

    def load(self) -> dict[str, int | None]:
        """Tasks that each worker holds; None while it loads its model."""
        return {name: len(self._scheduler.held(name)) if name in self._ready else None for name in self._heard}

    def step(self, seconds: float) -> list[Finished]:
        """Wait up to `seconds` for news, act on all of it, and return the tasks that it finished."""
        finished: list[Finished] = []
        for name, report in self._fleet.poll(seconds):
            self._heard[name] = self._clock()
            finished += self._act(name, report)
        for name in self._silent():
            self._fleet.kill(name)
            finished += self._replace(name, f"said nothing for {self._silence:g} seconds")
        self._hand_out()
        self._recall()
        return finished

    def _act(self, name: str, report: Report) -> Iterable[Finished]:
        match report:
            case Ready(batch_size):
                self._ready.add(name)
                self._loading_deaths[name] = 0
                self._scheduler.join(name, batch_size)
            case Beat(begun):
                for task in begun:
                    self._scheduler.begin(name, task)
            case Done(completion):
                finished = self._scheduler.complete(name, completion.id)
                return [Finished(completion.id, name, report)] if finished else []
            case Returned(ids):
                self._scheduler.give_back(name, ids)
            case Resized(batch_size):
                self._scheduler.resize(name, batch_size)
            case Died(reason, fatal):
                if fatal:
                    raise ConfigError(reason)
                return self._replace(name, reason)
        return []

    def _hand_out(self) -> None:
        for name, tasks in self._scheduler.hand_out().items():
            self._fleet.send(name, Work(tuple(self._request_of(task) for task in tasks)))

    def _recall(self) -> None:
        for name, count in self._scheduler.recalls().items():
            self._fleet.send(name, Recall(count))

    def _silent(self) -> list[str]:
        now = self._clock()
        due = [name for name, heard in self._heard.items() if now - heard > self._silence]
        return [name for name in due if name not in self._ready or self._scheduler.held(name)]

    def _replace(self, name: str, reason: str) -> list[Finished]:
        """Take back a dead worker's tasks and start it anew; return those that have had their last attempt."""
        if name not in self._ready:
            self._loading_deaths[name] += 1
        self._ready.discard(name)
        failed = self._scheduler.lose(name)
        if self._loading_deaths[name] < LOADING_DEATHS:
            self._heard[name] = self._clock()
            self._fleet.start(name)
        else:
            del self._heard[name]
            self._scheduler.expected -= 1
        if not self._heard:
            raise SRGenError(f"no worker gets as far as generating; the last one's word: {reason} (see the run's logs)")
        error = f"lost with its worker {self._scheduler.max_attempts} times, at last: {reason}"
        return [Finished(task, name, None, error) for task in failed]

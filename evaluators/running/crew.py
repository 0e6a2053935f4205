"""The workers of one model: where they may run, what they load, and the tasks that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluators.running.devices import WorkerPlace
from evaluators.running.plan import EngineChoice
from evaluators.running.scheduler import Scheduler
from srgen.errors import SRGenError

LOADING_DEATHS = 5
"""A worker that dies so many times in a row before it is ready is given up."""


class Crew:
    """One model's queue and what its workers are built from."""

    def __init__(
        self, places: Callable[[], Sequence[WorkerPlace]], engine: EngineChoice, *, max_attempts: int, silence: float
    ) -> None:
        """`places` is asked when the first worker is needed; it raises SRGenError where there can be none.

        `silence`: seconds without a report after which a worker that loads or holds work is killed.
        """
        self.engine = engine
        self.silence = silence
        self.scheduler = Scheduler((), max_attempts)
        self.failure: SRGenError | None = None
        """Why nothing more can come of this crew."""
        self._find_places = places
        self._places: tuple[WorkerPlace, ...] | None = None
        self._loading_deaths: dict[str, int] = {}

    def places(self) -> tuple[WorkerPlace, ...]:
        """Where its workers may run, but for those that were given up. Raises SRGenError where there can be none."""
        if self._places is None:
            self._places = tuple(self._find_places())
        return tuple(place for place in self._places if self._loading_deaths.get(place.name, 0) < LOADING_DEATHS)

    def loaded(self, worker: str, batch_size: int) -> None:
        """A worker is ready for tasks."""
        self._loading_deaths.pop(worker, None)
        self.scheduler.join(worker, batch_size)

    def died_loading(self, worker: str) -> None:
        """A worker has died before it was ready."""
        self._loading_deaths[worker] = self._loading_deaths.get(worker, 0) + 1

    def fail(self, failure: SRGenError) -> None:
        """Give up: no worker of this model is of any use."""
        self.failure = failure
        self.scheduler.clear()

"""A worker as a thread of this process: for notebooks, where a process of its own is more than is wanted."""

from __future__ import annotations

import queue
import threading
import traceback
from contextlib import suppress
from queue import SimpleQueue

from evaluators.running.devices import WorkerPlace
from evaluators.running.local_fleet import GRACE_SECONDS
from evaluators.running.workers import EngineFactory, Order, Report, Stop, last_words, serve


class ThreadFleet:
    """Threads by their place. A thread cannot be killed: one that is to be is told to stop, and not listened to."""

    def __init__(self) -> None:
        self._reports: SimpleQueue[tuple[threading.Thread, str, Report]] = SimpleQueue()
        self._alive: dict[str, tuple[threading.Thread, SimpleQueue[Order]]] = {}

    def start(self, place: WorkerPlace, load: EngineFactory) -> None:
        """Start a worker's thread; it reports when its model is loaded."""
        inbox: SimpleQueue[Order] = SimpleQueue()
        thread = threading.Thread(target=self._serve, args=(place.name, load, inbox), name=place.name, daemon=True)
        self._alive[place.name] = thread, inbox
        thread.start()

    def send(self, name: str, order: Order) -> None:
        """Hand the worker an order."""
        self._alive[name][1].put(order)

    def poll(self, seconds: float) -> list[tuple[str, Report]]:
        """Wait up to `seconds` for reports and return all that are there."""
        found: list[tuple[str, Report]] = []
        with suppress(queue.Empty):
            self._take(found, self._reports.get(timeout=seconds or 0.001))
            while True:
                self._take(found, self._reports.get_nowait())
        return found

    def kill(self, name: str) -> None:
        """Tell the worker to stop, unheard."""
        self._alive.pop(name)[1].put(Stop())

    def close(self, *, at_once: bool = False) -> None:
        """Tell all workers to stop; they get a moment to release their models unless `at_once`."""
        threads = [thread for thread, _ in self._alive.values()]
        for name in tuple(self._alive):
            self.kill(name)
        for thread in threads:
            thread.join(0 if at_once else GRACE_SECONDS)

    def _take(self, found: list[tuple[str, Report]], item: tuple[threading.Thread, str, Report]) -> None:
        thread, name, report = item
        if name in self._alive and self._alive[name][0] is thread:
            found.append((name, report))

    def _serve(self, name: str, load: EngineFactory, inbox: SimpleQueue[Order]) -> None:
        here = threading.current_thread()
        try:
            serve(load, inbox, lambda report: self._reports.put((here, name, report)))
        except Exception as error:
            traceback.print_exc()
            self._reports.put((here, name, last_words(error)))

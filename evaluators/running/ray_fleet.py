"""Workers as actors of a Ray cluster: one per GPU (or group of GPUs) on all its nodes."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from evaluators.running.devices import WorkerPlace, gpus_per_worker, log_name
from evaluators.running.interrupts import SIGNALS
from evaluators.running.local_fleet import GRACE_SECONDS
from evaluators.running.workers import Died, EngineFactory, Left, Order, Report, Stop, last_words, serve
from evaluators.settings.run_config import RunConfig
from srgen.errors import ConfigError
from srgen.extras import install

try:
    import ray
    from ray.actor import ActorHandle
    from ray.exceptions import RayError
except ImportError:
    raise ConfigError(f"the ray launcher needs Ray: {install('ray')}") from None

_CONNECT_SECONDS = 10.0
_EXCHANGE_SECONDS = 1.0
"""How long an actor waits for a report before it answers with none."""


class _Actor:
    """A worker on some node: the engine runs in a thread of its own, and these calls carry orders and reports."""

    def __init__(self, load: EngineFactory) -> None:
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._reports: SimpleQueue[Report] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, args=(load,), daemon=True)
        self._thread.start()

    def deliver(self, order: Order) -> None:
        """Take an order."""
        self._orders.put(order)

    def exchange(self) -> list[Report]:
        """All reports that are there; waits a moment for the first."""
        reports: list[Report] = []
        with suppress(queue.Empty):
            reports.append(self._reports.get(timeout=_EXCHANGE_SECONDS))
            while True:
                reports.append(self._reports.get_nowait())
        return reports

    def end(self) -> None:
        """Drop the work and release the model."""
        self._orders.put(Stop())
        self._thread.join()

    def _serve(self, load: EngineFactory) -> None:
        try:
            serve(load, self._orders, self._reports.put)
        except Exception as error:
            traceback.print_exc()
            self._reports.put(last_words(error))


class RayFleet:
    """One actor per place. An actor whose node is gone waits for resources, and starts when a node comes back."""

    def __init__(self, address: str | None, logs: Path) -> None:
        """`address`: the cluster to join (or RAY_ADDRESS); without one, one is started on this machine."""
        self._address = address
        self._logs = logs
        self._alive: dict[str, tuple[ActorHandle[_Actor], Any]] = {}

    def places(self, config: RunConfig) -> tuple[WorkerPlace, ...]:
        """Where a run's workers may be, on all nodes together.

        Raises ConfigError when the cluster cannot be reached or has too few GPUs.
        """
        if not ray.is_initialized():
            _join(self._address)
        gpus = int(ray.cluster_resources().get("GPU", 0))
        if config.execution.device == "cpu" or not gpus:
            return tuple(_cpu_place(index) for index in range(config.execution.workers))
        size = gpus_per_worker(config, 1)
        count = min(gpus, config.execution.max_parallel_gpus or gpus) // size
        if count == 0:
            raise ConfigError(f"a worker needs {size} GPUs, and the Ray cluster has {gpus} to give")
        return tuple(_gpu_place(range(size * index, size * (index + 1))) for index in range(count))

    def start(self, place: WorkerPlace, load: EngineFactory) -> None:
        """Ask the cluster for an actor; it reports when it has a node and its model is loaded."""
        gpus = 0 if place.device == "cpu" else len(place.devices)
        options = ray.remote(num_cpus=1, num_gpus=gpus, max_concurrency=2, scheduling_strategy="SPREAD")
        actor = options(_Actor).remote(load)
        self._alive[place.name] = actor, actor.exchange.remote()

    def send(self, name: str, order: Order) -> None:
        """Hand the actor an order. One that is dying does not get it: its death is reported by `poll`."""
        self._alive[name][0].deliver.remote(order)

    def poll(self, seconds: float) -> list[tuple[str, Report]]:
        """Wait up to `seconds` for reports and return all that are there; an actor's end is its last one."""
        if not self._alive:
            time.sleep(seconds)
            return []
        names = {exchange: name for name, (_, exchange) in self._alive.items()}
        ready, _ = ray.wait(list(names), num_returns=len(names), timeout=0)
        if not ready:
            ready, _ = ray.wait(list(names), num_returns=1, timeout=seconds)
        return [(names[exchange], report) for exchange in ready for report in self._reports(names[exchange], exchange)]

    def kill(self, name: str) -> None:
        """End the actor at once, unheard."""
        actor, _ = self._alive.pop(name)
        ray.kill(actor, no_restart=True)

    def close(self, *, at_once: bool = False) -> None:
        """End all actors; they get a moment to release their devices unless `at_once`."""
        if not at_once and self._alive:
            stopped = [actor.end.remote() for actor, _ in self._alive.values()]
            ray.wait(stopped, num_returns=len(stopped), timeout=GRACE_SECONDS)
        for name in tuple(self._alive):
            self.kill(name)

    def _reports(self, name: str, exchange: Any) -> list[Report]:
        actor = self._alive[name][0]
        try:
            reports: list[Report] = ray.get(exchange)
        except RayError as error:
            self._log(name, str(error))
            reports = [Died(f"lost with its node or process ({type(error).__name__})")]
        if any(isinstance(report, Died | Left) for report in reports):
            self.kill(name)
        else:
            self._alive[name] = actor, actor.exchange.remote()
        return reports

    def _log(self, name: str, death: str) -> None:
        """The actor's own output stays in its node's Ray logs; what Ray says of its death is kept here."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / log_name(name)).open("a") as log:
            print(death, file=log)


def _join(address: str | None) -> None:
    address = address or os.environ.get("RAY_ADDRESS")
    try:
        # Asked first: Ray itself tries for minutes, and then ends the process.
        if address and (found := re.fullmatch(r"(?:ray://)?([^/:]+):(\d+)", address)):
            socket.create_connection((found[1], int(found[2])), _CONNECT_SECONDS).close()
        # The actors' prints stay out of the progress line.
        with _signals_kept():
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"the Ray cluster at {address or 'this machine'} cannot be reached: {reason}") from None


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself: the handlers of before come back."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread has handlers, and Ray leaves them alone elsewhere
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _cpu_place(index: int) -> WorkerPlace:
    name = f"ray:cpu{index}"
    return WorkerPlace(name=name, device="cpu", devices=frozenset({name}))


def _gpu_place(indices: range) -> WorkerPlace:
    """The cluster chooses the GPUs; the numbers count how many workers there can be at once."""
    name = "ray:gpu" + "+".join(str(index) for index in indices)
    return WorkerPlace(name=name, device="cuda:0", devices=frozenset(f"ray:gpu{index}" for index in indices))

"""Workers as processes of this machine: spawned, pinned to their device, a pipe each."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, current_process, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from evaluators.running.devices import WorkerPlace
from evaluators.running.workers import Died, EngineFactory, Left, Order, Report, Stop, last_words, serve

UNGUARDED = 86
"""Exit status of a worker that, importing the program, came upon the call that starts workers."""
GRACE_SECONDS = 10.0
"""Time that workers get to end by themselves when the run is over."""

_SPAWN = get_context("spawn")
if TYPE_CHECKING:
    _Pipe = Connection[Any, Any]


def leave_if_importing() -> None:
    """End a worker in which the program begins its run anew, because nothing keeps an import from doing so."""
    if getattr(current_process(), "_inheriting", False):  # as multiprocessing itself asks
        os._exit(UNGUARDED)


class LocalFleet:
    """One process per place. Where a worker has left, died or been killed, another can be started."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._alive: dict[str, tuple[SpawnProcess, _Pipe]] = {}

    def start(self, place: WorkerPlace, load: EngineFactory) -> None:
        """Start a worker's process; it reports when its model is loaded."""
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=_main, args=(place, load, theirs, self._logs / place.log, os.getpid()), name=place.name
        )
        with _interrupts_blocked():
            process.start()
        theirs.close()
        self._alive[place.name] = process, ours

    def send(self, name: str, order: Order) -> None:
        """Hand the worker an order. One that is dying does not get it: its death is reported by `poll`."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._alive[name][1].send(order)

    def poll(self, seconds: float) -> list[tuple[str, Report]]:
        """Wait up to `seconds` for reports and return all that are there; a worker's end is its last one."""
        names: dict[Any, str] = {pipe: name for name, (_, pipe) in self._alive.items()}
        if not names:
            time.sleep(seconds)
        reports: list[tuple[str, Report]] = []
        for pipe in connection.wait(list(names), seconds):
            reports += self._drain(names[pipe])
        return reports

    def kill(self, name: str) -> None:
        """End the worker at once, unheard."""
        process, pipe = self._alive.pop(name)
        pipe.close()
        _kill(process)

    def close(self, *, at_once: bool = False) -> None:
        """End all workers; they get a moment to release their devices unless `at_once`."""
        for name in self._alive:
            self.send(name, Stop())
        deadline = time.monotonic() + (0 if at_once else GRACE_SECONDS)
        for process, _ in self._alive.values():
            process.join(max(0.0, deadline - time.monotonic()))
        for name in tuple(self._alive):
            self.kill(name)

    def _drain(self, name: str) -> Iterator[tuple[str, Report]]:
        """What the worker has sent; its death where the pipe has ended without a last word."""
        process, pipe = self._alive[name]
        try:
            while pipe.poll():
                report = pipe.recv()
                if isinstance(report, Died | Left):
                    self.kill(name)
                    yield name, report
                    return
                yield name, report
        except (EOFError, OSError):
            process.join(GRACE_SECONDS)
            code = process.exitcode
            self.kill(name)
            yield name, Died(_cause(code), fatal=code == UNGUARDED)


def _main(place: WorkerPlace, load: EngineFactory, pipe: _Pipe, log: Path, parent: int) -> None:
    """The worker's process: its own session, its output in its log, gone when its parent is."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    os.environ.update(place.environment)
    _redirect_output(log)
    # Bars of libraries would share a semaphore between processes; of a worker that is killed it stays behind, and
    # Python's own helper, which writes to the terminal, warns about that.
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    inbox: SimpleQueue[Order] = SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, inbox), daemon=True).start()
    try:
        serve(load, inbox, pipe.send)
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        with suppress(OSError):
            pipe.send(last_words(error))
        # Not sys.exit: a device in a bad state may hang in its library's clean-up.
        os._exit(1)


def _listen(pipe: _Pipe, inbox: SimpleQueue[Order]) -> None:
    """Read orders at once, so that the parent never waits for a device to write."""
    with suppress(EOFError, OSError):
        while True:
            inbox.put(pipe.recv())
    os._exit(1)


def _die_with(parent: int) -> None:
    # The pipe's end is no proof of the parent's: a process that the parent forked may hold a copy of it.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _redirect_output(log: Path) -> None:
    """Send what Python and native code print to the worker's log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A process started within does not see the terminal's Ctrl-C before it has left the terminal's session."""
    signals = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill(process: SpawnProcess) -> None:
    """Kill the process and what it has started."""
    if process.pid is not None and process.exitcode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    process.close()


def _cause(exit_code: int | None) -> str:
    if exit_code is None:
        return "closed its pipe"
    if exit_code == UNGUARDED:
        return (
            "the workers import the script that starts the run, which must therefore do so under "
            "`if __name__ == '__main__':`"
        )
    if exit_code == -signal.SIGKILL:
        return "killed by SIGKILL (by hand, or for want of memory)"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"ended with exit status {exit_code}"

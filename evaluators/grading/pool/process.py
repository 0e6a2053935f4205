"""One grading process from the outside: start, ask with a limit, kill."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[3]
_START_LIMIT = 60.0
"""Seconds that a process may take until it is ready."""
_PIPE = 65_536
"""Bytes written at a time."""
_PAUSE = 0.002
"""Seconds in which replies may gather, so that reading them does not cost more than most of them do."""


class GradingProcess:
    """A separate interpreter in a session of its own, so that the terminal's interrupt does not reach it."""

    def __init__(self, limit: float, second_limit: float, memory: int) -> None:
        self._limit = limit
        self._limits = {"loading": _START_LIMIT, "second": second_limit}
        self._received = b""
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "evaluators.grading.pool.worker", str(limit), str(second_limit), str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
        self._ready = False

    def ask(self, requests: Sequence[bytes]) -> Iterator[dict[str, Any]]:
        """The reply to each line, in order; fewer where the process took longer than its limit or died.

        Then it is of no further use. The limit of a request runs from the reply before it; a line that names a stage
        gives the process the time of that stage from then on.
        """
        if not self._ready and self._read(_START_LIMIT) is None:
            return
        self._ready = True
        try:
            if not self._write(b"".join(requests), self._limit):
                return
            for number in range(len(requests)):
                if (reply := self._reply()) is None:
                    return
                yield reply
                if number + 1 < len(requests) and b"\n" not in self._received:
                    time.sleep(_PAUSE)
        except (OSError, ValueError):
            return

    def _reply(self) -> dict[str, Any] | None:
        limit = self._limit
        while (line := self._read(limit)) is not None:
            reply: dict[str, Any] = json.loads(line)
            if "stage" not in reply:
                return reply
            limit = self._limits[reply["stage"]]
        return None

    @property
    def process_id(self) -> int:
        """The operating system's number of the process."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the process at once, from any thread: one that waits for its reply gets none."""
        self._process.kill()

    def kill(self) -> None:
        """End the process at once, and close the way to it: only for the thread that asks it."""
        self.end()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue

    def _write(self, data: bytes, limit: float) -> bool:
        """Whether the process took all of it within `limit` seconds: a pipe holds less than a long response."""
        stdin = self._process.stdin
        if stdin is None:
            return False
        deadline, rest = time.monotonic() + limit, memoryview(data)
        while rest:
            _, ready, _ = select.select([], [stdin], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return False
            rest = rest[os.write(stdin.fileno(), rest[:_PIPE]) :]
        return True

    def _read(self, limit: float) -> bytes | None:
        """One line, None where none is complete within `limit` seconds."""
        stdout = self._process.stdout
        if stdout is None:
            return None
        deadline = time.monotonic() + limit
        while b"\n" not in self._received:
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(stdout.fileno(), 65_536) if ready else b""
            if not chunk:
                return None
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line

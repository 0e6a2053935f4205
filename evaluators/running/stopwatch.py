"""timing.json: how long a run has taken, over all the sessions that it took."""

from __future__ import annotations

import json
import time
from pathlib import Path

from evaluators.records.reading import TIMING_FILE, write_atomically

SAVE_SECONDS = 5.0
"""What a killed session may lose of its time."""


class Stopwatch:
    """Adds this session's wall time to that of the sessions before it."""

    def __init__(self, directory: Path) -> None:
        """Start a session."""
        self._path = directory / TIMING_FILE
        before = json.loads(self._path.read_text("utf-8")) if self._path.is_file() else {}
        self._before = float(before.get("wall_seconds", 0.0))
        self._sessions = int(before.get("sessions", 0)) + 1
        self._began = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write the time so far."""
        self._saved = time.monotonic()
        timing = {"wall_seconds": round(self._before + self._saved - self._began, 3), "sessions": self._sessions}
        write_atomically(self._path, json.dumps(timing) + "\n")

    def tick(self) -> None:
        """Write the time so far, if it was not written just now."""
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save()

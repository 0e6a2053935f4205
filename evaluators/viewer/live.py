"""What is new in the runs that are looked at, again and again, for server-sent events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from evaluators.viewer.library import Library
from srgen.errors import SRGenError

WINDOW = 60.0
"""Seconds over which the pace is measured."""


class Watch:
    """One viewer's watch on some runs, or on all of them."""

    def __init__(self, library: Library, names: Sequence[str]) -> None:
        """`names`: none for all runs, those that are to come among them."""
        self._library = library
        self._names = names
        self._seen: dict[str, deque[tuple[float, int, int]]] = {}
        self._told: dict[str, dict[str, Any]] = {}

    def news(self) -> dict[str, Any] | None:
        """Every watched run that has changed since the last call, with its pace; None where nothing has."""
        if not self._names:
            self._library.scan()
        changed = []
        for name in self._names or self._library.names():
            try:
                row = self._library.row(name)
            except SRGenError:
                continue  # shown with its reason on the first page
            row |= self._pace(name, row)
            if self._told.get(name) != row:
                self._told[name] = row
                changed.append(row)
        return {"runs": changed} if changed else None

    def _pace(self, name: str, row: dict[str, Any]) -> dict[str, float | None]:
        """Tokens per second and seconds left, by what has come in the last minute; None where nothing tells."""
        if row["state"] != "running":
            self._seen.pop(name, None)
            return {"tokens_per_second": None, "seconds_left": None}
        now = time.monotonic()
        seen = self._seen.setdefault(name, deque())
        if not seen or seen[-1][1] != row["samples"]:
            seen.append((now, row["samples"], row["tokens"]))
        while len(seen) > 2 and now - seen[0][0] > WINDOW:
            seen.popleft()
        first, last = seen[0], seen[-1]
        seconds = last[0] - first[0]
        if seconds > 0:
            samples, tokens = last[1] - first[1], last[2] - first[2]
        else:  # nothing has come since the watch began: the run's own clock tells
            seconds, samples, tokens = row["wall_seconds"], row["samples"], row["tokens"]
        if not seconds > 0 or not samples:
            return {"tokens_per_second": None, "seconds_left": None}
        left = (row["planned"] - row["samples"]) * seconds / samples
        return {"tokens_per_second": round(tokens / seconds, 1), "seconds_left": round(left)}

"""One line of progress for all workers: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from tqdm import tqdm

from evaluators.records.journal import Tally

PLAIN_SECONDS = 30.0
"""Time between two lines where there is no terminal."""


class Progress:
    """Shows how far a run is: samples, accuracy, tokens per second, reflections, what each worker holds, time left."""

    def __init__(self, total: int, tally: Tally, stream: TextIO | None = None) -> None:
        """`tally` counts the samples that are there already, and goes on counting while the run goes on."""
        self._tally = tally
        self._total = total
        self._stream = stream or sys.stderr
        self._began = time.monotonic()
        self._shown = self._began
        self._load: Mapping[str, int | None] = {}
        self._first = (tally.samples, tally.tokens)
        self._bar: Any = None
        if self._stream.isatty():
            self._bar = tqdm(
                total=total, initial=tally.samples, unit="sample", dynamic_ncols=True, file=self._stream, leave=True
            )

    def update(self, load: Mapping[str, int | None]) -> None:
        """Show the tally; `load` is what each worker holds, None while it loads its model."""
        self._load = load
        if self._bar is not None:
            self._bar.set_postfix_str(self.describe(), refresh=False)
            self._bar.update(self._tally.samples - self._bar.n)
        elif time.monotonic() - self._shown >= PLAIN_SECONDS:
            self._plain()

    def close(self) -> None:
        """Show the last state and leave the line."""
        if self._bar is not None:
            self.update(self._load)
            self._bar.refresh()
            self._bar.close()
        else:
            self._plain()

    def describe(self) -> str:
        """Accuracy and rates in words, without what a bar shows itself."""
        tally = self._tally
        seconds = max(time.monotonic() - self._began, 1e-9)
        accuracy = f"{100 * tally.correct / tally.samples:.1f} %" if tally.samples else "-"
        parts = [
            f"accuracy {accuracy}",
            f"{(tally.tokens - self._first[1]) / seconds:.0f} tokens/s",
            f"{tally.reflections} reflections",
        ]
        if tally.failed:
            parts.append(f"{tally.failed} failed")
        workers = "/".join("loading" if held is None else str(held) for held in self._load.values())
        return ", ".join([*parts, f"in flight {workers}"])

    def _plain(self) -> None:
        self._shown = time.monotonic()
        done, rest = self._tally.samples - self._first[0], self._total - self._tally.samples
        left = f"{(self._shown - self._began) / done * rest / 60:.0f} min left" if done else "time left unknown"
        line = f"{self._tally.samples} of {self._total} samples, {left}, {self.describe()}"
        print(line, file=self._stream, flush=True)

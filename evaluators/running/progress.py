"""One line of progress for all workers: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

from tqdm import tqdm

from evaluators.analysis.wilson import wilson
from evaluators.records.journal import Tally

PLAIN_SECONDS = 30.0
"""Time between two lines where there is no terminal."""

# tqdm's own lock is a semaphore between processes; one that is killed leaves it, and Python warns about that.
tqdm.set_lock(threading.RLock())


class Progress:
    """Shows how far a run is: samples, accuracy, tokens per second, reflections, what each worker holds, time left."""

    def __init__(self, total: int, tally: Tally, stream: TextIO | None = None, name: str = "") -> None:
        """`tally` counts the samples that are there already, and goes on counting while the run goes on.

        `name` says what is worked on.
        """
        self._tally = tally
        self._total = total
        self._stream = stream or sys.stderr or io.StringIO()  # stderr is None where the caller has closed it
        self._name = name
        self._began: float | None = None
        """When the first model was loaded: what comes before generates nothing."""
        self._shown = time.monotonic()
        self._load: Mapping[str, int | None] = {}
        self._in_flight = 0
        self._first = (tally.samples, tally.tokens)
        self._bar: Any = None
        self._introduce()
        if self._stream.isatty():
            self._bar = tqdm(
                total=total,
                initial=tally.samples,
                desc=name or None,
                unit="sample",
                dynamic_ncols=True,
                file=self._stream,
                leave=True,
            )

    def update(self, load: Mapping[str, int | None], in_flight: int = 0) -> None:
        """Show the tally; `load` is what each worker holds, None while it loads its model.

        `in_flight`: tokens of samples that are not ended yet.
        """
        self._load, self._in_flight = load, in_flight
        if self._began is None and any(held is not None for held in load.values()):
            self._began = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(self.describe(), refresh=False)
            self._bar.update(self._tally.samples - self._bar.n)
        elif time.monotonic() - self._shown >= PLAIN_SECONDS:
            self._plain()

    def note(self, text: str) -> None:
        """Show a line that stays."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Show the last state and leave the line."""
        if self._bar is not None:
            self.update(self._load, self._in_flight)
            self._bar.refresh()
            self._bar.close()
        else:
            self._plain()

    def describe(self) -> str:
        """Accuracy and rates in words, without what a bar shows itself."""
        tally = self._tally
        seconds = 0.0 if self._began is None else time.monotonic() - self._began
        tokens = tally.tokens - self._first[1] + self._in_flight
        parts = [
            f"accuracy {_accuracy(tally)}",
            f"{tokens / seconds if seconds > 0 else 0:.0f} tokens/s",
            f"{tally.reflections} reflections",
        ]
        if tally.failed:
            parts.append(f"{tally.failed} failed")
        workers = "/".join("loading" if held is None else str(held) for held in self._load.values())
        grown = f" ({self._in_flight:,} tokens)" if self._in_flight else ""
        return ", ".join([*parts, f"in flight {workers}{grown}"])

    def _introduce(self) -> None:
        if self._name:
            there = self._tally.samples
            resumed = f", {there} of them from before" if there else ""
            self.note(f"{self._name}: {self._total} samples{resumed}")

    def _plain(self) -> None:
        self._shown = time.monotonic()
        done, rest = self._tally.samples - self._first[0], self._total - self._tally.samples
        known = done > 0 and self._began is not None
        left = f"{(self._shown - (self._began or 0)) / done * rest / 60:.0f} min left" if known else "time left unknown"
        line = f"{self._tally.samples} of {self._total} samples, {left}, {self.describe()}"
        print(line, file=self._stream, flush=True)


def _accuracy(tally: Tally) -> str:
    """With Wilson's 95 % interval for as many questions: samples of one question are counted as one piece of news."""
    if not tally.samples:
        return "-"
    rate = tally.correct / tally.samples
    low, high = wilson(rate, max(1, tally.questions))
    return f"{100 * rate:.1f} % [{100 * low:.0f}, {100 * high:.0f}]"

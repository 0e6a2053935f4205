"""The journal: what is graded is on disk, whole lines at a time; a torn last line is work still owed."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from evaluators.records.reading import SampleKey
from evaluators.records.schema import ENTROPIES_FILE, REFLECTIONS_FILE, SAMPLES_FILE, SIGNALS_FILE, Sample
from evaluators.records.signals import SignalsWriter
from srgen.errors import ConfigError, SRGenError

LOCK_FILE = ".lock"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One graded sample and what was recorded of its generation."""

    sample: Sample
    reflections: tuple[dict[str, Any], ...] = ()
    """Rows of reflections.jsonl."""
    entropies: dict[str, Any] | None = None
    """Row of entropies.jsonl."""
    signals: bytes | None = None
    """Rows of signals.f16, one per token."""


@dataclasses.dataclass(slots=True)
class Tally:
    """Counts over the samples of a run."""

    samples: int = 0
    correct: int = 0
    failed: int = 0
    tokens: int = 0
    reflections: int = 0
    questions: int = 0
    """Questions with a sample."""
    _asked: set[str] = dataclasses.field(default_factory=set, repr=False, compare=False)

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.samples += 1
        if sample.question_id not in self._asked:
            self._asked.add(sample.question_id)
            self.questions += 1
        self.correct += sample.correct
        self.failed += sample.status == "failed"
        self.tokens += sample.generated_tokens
        self.reflections += sample.reflections

    def __iadd__(self, other: Tally) -> Tally:
        """Count the samples that another tally has counted."""
        for field in dataclasses.fields(self):
            if field.type == "int":
                setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        self._asked |= other._asked
        return self


class Journal:
    """Appends to samples.jsonl and, where a run records them, reflections.jsonl and entropies.jsonl.

    A sample's recordings are written before its line in samples.jsonl, which is what makes it exist: after a crash,
    recordings without a sample are dropped when the journal is opened again.
    """

    def __init__(self, directory: Path, *, record: bool) -> None:
        """Open a run's journal; `keys` holds the samples that it has now.

        Raises SRGenError naming a line that is damaged, other than a torn last one.
        """
        self.keys: set[SampleKey] = set()
        self.tally = Tally()
        self._samples = _Lines(directory / SAMPLES_FILE)
        self._signals_path = directory / SIGNALS_FILE
        self._signals: SignalsWriter | None = None
        self._signal_rows = 0
        for row in self._samples.read():
            sample = _sample(row, self._samples.path)
            self.keys.add((sample.question_id, sample.sample))
            self.tally.add(sample)
            if sample.signals is not None:
                self._signal_rows = max(self._signal_rows, sample.signals + sample.generated_tokens)
        self._reflections = self._recording(directory / REFLECTIONS_FILE) if record else None
        self._entropies = self._recording(directory / ENTROPIES_FILE) if record else None

    def append(self, entries: Sequence[Entry]) -> None:
        """Write the entries, all of them or, when the disk takes no more (OSError), none of their samples."""
        if self._reflections and self._entropies:
            self._reflections.append(row for entry in entries for row in entry.reflections)
            self._entropies.append(entry.entropies for entry in entries if entry.entropies)
        entries = self._with_signals(entries)
        self._samples.append(entry.sample.to_json() for entry in entries)
        for entry in entries:
            self.tally.add(entry.sample)

    def close(self) -> None:
        """Close the files."""
        for lines in (self._samples, self._reflections, self._entropies):
            if lines:
                lines.close()
        if self._signals:
            self._signals.close()

    def _with_signals(self, entries: Sequence[Entry]) -> list[Entry]:
        """Write the signals; the samples then say where theirs are."""
        given = [entry.signals for entry in entries if entry.signals is not None]
        if not given:
            return list(entries)
        if self._signals is None:
            self._signals = SignalsWriter(self._signals_path, self._signal_rows)
        firsts = iter(self._signals.append(given))
        return [
            entry
            if entry.signals is None
            else dataclasses.replace(entry, sample=dataclasses.replace(entry.sample, signals=next(firsts)))
            for entry in entries
        ]

    def _recording(self, path: Path) -> _Lines:
        lines = _Lines(path)
        lines.keep_only(self.keys)
        return lines


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the directory for this process. Raises ConfigError when another process holds it."""
    # A lock of the process (POSIX), not of the open file (flock): processes that a killed parent leaves behind for a
    # moment would keep the latter, and the same command could not go on at once.
    with (directory / LOCK_FILE).open("a") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"another process is writing to {directory}; wait for it, or choose another --run_name"
            raise ConfigError(message) from None
        yield


class _Lines:
    """A file of JSON lines that is only ever extended by whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """All rows; then cuts off a torn last line."""
        for row in _whole_rows(self.path):
            self._size += row.length
            yield row.value
        os.ftruncate(self._handle, self._size)

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write the rows and wait until the disk has them. Raises OSError, and then has written nothing."""
        text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        if not data:
            return
        try:
            while data:
                data = data[os.write(self._handle, data) :]
            os.fsync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size = os.fstat(self._handle).st_size

    def keep_only(self, keys: set[SampleKey]) -> None:
        """Drop the rows of other samples; what precedes the first of them stays untouched."""
        rest: list[dict[str, Any]] | None = None
        for row in _whole_rows(self.path):
            if (row.value["question_id"], row.value["sample"]) not in keys:
                rest = rest or []
            elif rest is None:
                self._size += row.length
            else:
                rest.append(row.value)
        os.ftruncate(self._handle, self._size)
        self.append(rest or [])

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


class _Row(NamedTuple):
    value: dict[str, Any]
    length: int
    """Bytes of its line."""


def _whole_rows(path: Path) -> Iterator[_Row]:
    """The rows of a file but for a torn last one. Raises SRGenError naming the line that is damaged elsewhere."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            try:
                value = json.loads(line)
            except ValueError:
                value = None
            if not isinstance(value, dict):
                raise SRGenError(f"{path}, line {number}, is damaged; delete the line, and its sample is owed again")
            yield _Row(value, len(line))


def _sample(row: dict[str, Any], path: Path) -> Sample:
    try:
        return Sample.from_json(row)
    except TypeError as error:
        raise SRGenError(f"{path} is not a journal of this version: {error}") from None

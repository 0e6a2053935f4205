"""A run to look at while it grows: its questions, the index of its journal, single samples with their recordings."""

from __future__ import annotations

import fcntl
import json
import os
import struct
import threading
from pathlib import Path
from typing import Any, Literal

from evaluators.benchmarks.benchmark import Question
from evaluators.records.growing import LinePlaces, open_inside
from evaluators.records.journal import LOCK_FILE
from evaluators.records.journal_index import JournalIndex
from evaluators.records.reading import TIMING_FILE, Recording, Run, read_config, read_lines
from evaluators.records.schema import CONFIG_FILE, ENTROPIES_FILE, QUESTIONS_JSONL, REFLECTIONS_FILE, Sample
from srgen.errors import SRGenError

State = Literal["running", "complete", "stopped"]


class IndexedRun:
    """A run's folder, read piece by piece; safe to use from several threads. Nothing is written."""

    def __init__(self, directory: Path, root: Path | None = None) -> None:
        """Read the configuration and the questions, not the samples; `root`: no file may lead out of it.

        Raises SRGenError where the folder is no run's, a file is damaged, or leads out of the root.
        """
        for name in (CONFIG_FILE, QUESTIONS_JSONL):
            open_inside(directory / name, root).close()
        config = read_config(directory)
        try:
            questions = tuple(Question(**row) for row in read_lines(directory / QUESTIONS_JSONL))
        except TypeError as error:
            raise SRGenError(f"{directory / QUESTIONS_JSONL} is damaged: {error}") from None
        if not questions:
            raise SRGenError(f"{directory} has no questions: {QUESTIONS_JSONL} is empty")
        self.run = Run(directory, config, questions, {}, float("nan"))
        """What the run is; its samples are in `journal` instead."""
        self.journal = JournalIndex(directory, [q.id for q in questions], self.run.samples_per_question, root)
        self._root = root
        self._entropies = LinePlaces(directory / ENTROPIES_FILE, root)
        self._reflections = LinePlaces(directory / REFLECTIONS_FILE, root)
        self._lock = threading.Lock()

    @property
    def directory(self) -> Path:
        """The run's folder."""
        return self.run.directory

    @property
    def planned(self) -> int:
        """Samples that the run will have."""
        return len(self.run.questions) * self.run.samples_per_question

    @property
    def state(self) -> State:
        """Whether it is being worked on, complete or neither."""
        if is_held(self.directory):
            return "running"
        return "complete" if self.journal.samples >= self.planned else "stopped"

    @property
    def wall_seconds(self) -> float:
        """Seconds that it has taken so far; NaN where nobody wrote it."""
        try:
            with open_inside(self.directory / TIMING_FILE, self._root) as file:
                return float(json.load(file)["wall_seconds"])
        except (SRGenError, ValueError, KeyError, TypeError):
            return float("nan")

    def refresh(self) -> int:
        """Take in what the journal has gained; the number of new lines. Raises SRGenError."""
        with self._lock:
            return self.journal.refresh()

    def sample(self, question: int, index: int) -> Sample | None:
        """One sample; None where it is missing. Raises SRGenError where its line is damaged."""
        with self._lock:
            return self.journal.sample(question, index)

    def recording(self, key: tuple[str, int]) -> Recording | None:
        """Tokens and entropies of a sample; None where they were not recorded. Raises SRGenError."""
        with self._lock:
            rows = [_row(line, ENTROPIES_FILE) for line in self._entropies.of(key)]
        return Recording(tuple(rows[-1]["tokens"]), tuple(rows[-1]["entropies"])) if rows else None

    def reflections(self, key: tuple[str, int]) -> list[dict[str, Any]]:
        """Rows of reflections.jsonl of a sample. Raises SRGenError."""
        with self._lock:
            return [_row(line, REFLECTIONS_FILE) for line in self._reflections.of(key)]


def is_held(directory: Path) -> bool:
    """Whether another process works on the run: asked of the kernel, without taking the lock."""
    try:
        handle = os.open(directory / LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # Linux' struct flock
        found: int = struct.unpack("hhqqi4x", fcntl.fcntl(handle, fcntl.F_GETLK, asked))[0]
        return found != fcntl.F_UNLCK
    except OSError:
        return False
    finally:
        os.close(handle)


def _row(line: bytes, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError) as error:
        raise SRGenError(f"a line of {name} is damaged: {error}") from None

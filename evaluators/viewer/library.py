"""The runs and studies in a results folder, each opened when it is first looked at."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evaluators.analysis.loading import stored_summary
from evaluators.analysis.summary_rows import Summary, read_summary
from evaluators.presentation.documents.collection import Collection
from evaluators.presentation.documents.names import method_name
from evaluators.presentation.documents.progress import progress
from evaluators.records.indexed_run import IndexedRun, is_held
from evaluators.records.schema import CONFIG_FILE, QUESTIONS_JSONL, SAMPLES_FILE, SUMMARY_CSV
from evaluators.study.status import CELLS_FILE, read_cells
from srgen.errors import SRGenError

DEPTH = 8
"""Folders below the root that are looked into."""


class UnknownRunError(SRGenError):
    """There is no such run in the folder."""


class Library:
    """Runs by their path below the root, as `aime-2024/model/run`; only runs that a scan has found can be opened.

    Links to folders are not followed, and no file of a run may lead out of the root.
    """

    def __init__(self, root: Path) -> None:
        """Raises SRGenError where the root is no folder."""
        if not root.is_dir():
            raise SRGenError(f"{root} is not a folder; give the folder that holds the runs, such as results")
        self.root = root.resolve()
        self._runs: dict[str, IndexedRun | None] = {}
        self._faults: dict[str, str] = {}
        self._studies: tuple[str, ...] = ()
        self._summaries: dict[str, tuple[tuple[int, int, int], Summary | None]] = {}
        self._lock = threading.Lock()
        self.scan()

    def scan(self) -> None:
        """Look for runs and studies that are new or gone."""
        runs, studies = [], []
        for folder, names in _folders(self.root):
            if CONFIG_FILE in names:
                runs.append(folder.relative_to(self.root).as_posix())
            if CELLS_FILE in names:
                studies.append(folder.relative_to(self.root).as_posix())
        with self._lock:
            self._runs = {name: self._runs.get(name) for name in sorted(runs)}
            self._studies = tuple(sorted(studies))

    def names(self) -> list[str]:
        """All runs."""
        return list(self._runs)

    def run(self, name: str) -> IndexedRun:
        """A run, up to date. Raises UnknownRunError where no scan has found it, SRGenError where it is damaged."""
        if name not in self._runs:
            raise UnknownRunError(f"there is no run {name!r} in the results folder")
        with self._lock:
            run = self._runs.get(name) or IndexedRun(self.root / name, self.root)
            self._runs[name] = run
        run.refresh()
        return run

    def collection(self, names: Sequence[str]) -> Collection:
        """Some runs together. Raises SRGenError."""
        runs = [self.run(name) for name in names]
        return Collection(runs, [self._summary(name, run) for name, run in zip(names, runs, strict=True)], names)

    def overview(self) -> dict[str, Any]:
        """The first page: every run with how far it is, those that cannot be read with the reason, and the studies."""
        rows, faults = [], []
        for name in self.names():
            try:
                rows.append(self.row(name))
            except SRGenError as error:
                faults.append({"id": name, "reason": str(error).replace(str(self.root), "").lstrip("/")})
        return {"root": self.root.name, "runs": rows, "faults": faults, "studies": list(self._study_rows())}

    def warm(self) -> None:
        """Read every journal and summary, so that whoever looks does not wait for it."""
        for name in self.names():
            with contextlib.suppress(SRGenError):  # the page says it
                run = self.run(name)
                progress(run)
                self._summary(name, run)

    def row(self, name: str) -> dict[str, Any]:
        """A run's line on the first page: from its summary until its journal has been read. Raises SRGenError."""
        if self._runs.get(name) is None and (known := summary_row(self.root / name)):
            return {"id": name, **known}
        run = self.run(name)
        about = run.run
        return {
            "id": name,
            "benchmark": about.benchmark,
            "model": about.model,
            "method": method_name(about.method),
            "k": about.samples_per_question,
            "questions": len(about.questions),
            **progress(run),
        }

    def _summary(self, name: str, run: IndexedRun) -> Summary | None:
        """The summary in its files, if it is of the samples that are there; read again only when those change."""
        journal = run.journal
        state = journal.samples, journal.correct, int(journal.tokens.sum())
        known = self._summaries.get(name)
        if known is None or known[0] != state or known[1] is None:
            known = state, stored_summary(run.directory, *state)
            self._summaries[name] = known
        return known[1]

    def _study_rows(self) -> Iterator[dict[str, Any]]:
        for name in self._studies:
            try:
                cells = read_cells(self.root / name / CELLS_FILE)
            except ValueError:
                continue
            yield {"name": name, "cells": [self._cell(cell, noted) for cell, noted in cells.items()]}

    def _cell(self, cell: str, noted: dict[str, object]) -> dict[str, Any]:
        """A study's cell; its run only where that lies in this folder."""
        place = Path(str(noted.get("directory", "")))
        inside = place.is_relative_to(self.root) and place.relative_to(self.root).as_posix() in self._runs
        return {
            "cell": cell,
            "run": place.relative_to(self.root).as_posix() if inside else None,
            "failure": str(noted.get("failure", "")),
        }


def summary_row(folder: Path) -> dict[str, Any] | None:
    """What a run's summary says of how far it is; None where the journal is newer, or someone works on it."""
    journal, table = folder / SAMPLES_FILE, folder / SUMMARY_CSV
    if any(path.is_symlink() or not path.is_file() for path in (journal, table, folder / QUESTIONS_JSONL)):
        return None
    if table.stat().st_mtime_ns < journal.stat().st_mtime_ns or is_held(folder):
        return None
    try:
        summary = read_summary(folder)
    except SRGenError:
        return None
    return {
        "benchmark": summary.benchmark,
        "model": summary.model,
        "method": method_name(summary.method),
        "k": summary.k,
        "questions": summary.questions,
        "state": "stopped" if summary.missing else "complete",
        "samples": summary.samples - summary.missing,
        "planned": summary.samples,
        "correct": int(summary.by_question["correct"].sum()),
        "failed": summary.failed,
        "accuracy": summary.avg,
        "accuracy_low": summary.avg_low,
        "accuracy_high": summary.avg_high,
        "tokens": summary.tokens,
        "reflections": int(summary.by_question["reflections"].sum()),
        "wall_seconds": summary.wall_seconds,
        "workers": [],
    }


def _folders(root: Path) -> Iterator[tuple[Path, set[str]]]:
    """Folders with the names of their plain files; links are not followed, hidden folders are left out."""
    for place, below, files in os.walk(root, followlinks=False):
        folder = Path(place)
        if len(folder.relative_to(root).parts) >= DEPTH:
            below.clear()
        below[:] = sorted(name for name in below if not name.startswith(".") and not (folder / name).is_symlink())
        yield folder, set(files)

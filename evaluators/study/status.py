"""How far a study is, from its runs' folders alone: it can be asked while the study runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.records.journal import Tally
from evaluators.records.reading import read_lines, write_atomically
from evaluators.records.schema import SAMPLES_FILE, Sample
from evaluators.study.cells import Cell
from srgen.errors import SRGenError

CELLS_FILE = "cells.json"


@dataclass(frozen=True, slots=True)
class CellStatus:
    """What there is of a cell."""

    cell: Cell
    directory: Path | None
    """None where the study has not come to it."""
    planned: int | None
    """Samples; None where the questions have not been read yet."""
    tally: Tally
    device_hours: float
    """Hours of a GPU (or worker) that the samples have taken, had its batch been full all the time."""
    failure: str = ""
    """Why the last sitting could not work on it."""
    on_gpu: bool = False
    """Whether any sample was generated on one."""

    @property
    def complete(self) -> bool:
        """Whether every sample is there."""
        return self.planned is not None and self.tally.samples >= self.planned

    @property
    def owed(self) -> int:
        """Samples that are not there, as far as is known."""
        return max(0, (self.planned or 0) - self.tally.samples)

    @property
    def state(self) -> str:
        """In a word."""
        if self.complete:
            return "complete"
        if self.failure:
            return "failed"
        return "begun" if self.tally.samples else "open"


def cell_status(cell: Cell, directory: Path | None, questions: int | None, failure: str = "") -> CellStatus:
    """Read a cell's journal; one that is damaged is the cell's failure."""
    tally, seconds, on_gpu = Tally(), 0.0, False
    try:
        for row in read_lines(directory / SAMPLES_FILE) if directory is not None else ():
            tally.add(sample := Sample.from_json(row))
            seconds += sample.seconds
            on_gpu = on_gpu or "cuda" in sample.worker or "gpu" in sample.worker
    except (SRGenError, TypeError) as error:
        failure = failure or str(error)
    planned = None if questions is None else questions * cell.config.average
    hours = seconds / cell.config.execution.batch_size / 3600
    return CellStatus(cell, directory, planned, tally, hours, failure, on_gpu)


def hours_left(statuses: Sequence[CellStatus]) -> float | None:
    """Device hours that the samples owed will take, at the pace of those that are there; None where there are none.

    A cell's pace is its own, else that of its model and method on other benchmarks, else that of its model.
    """
    left = 0.0
    for status in statuses:
        if not status.owed:
            continue
        near = [
            [other for other in statuses if other is status],
            [o for o in statuses if (o.cell.model, o.cell.method) == (status.cell.model, status.cell.method)],
            [other for other in statuses if other.cell.model == status.cell.model],
        ]
        pace = next((found for group in near if (found := _pace(group)) is not None), None)
        if pace is None:
            return None
        left += pace * status.owed
    return left


def _pace(statuses: Sequence[CellStatus]) -> float | None:
    samples = sum(status.tally.samples for status in statuses)
    return sum(status.device_hours for status in statuses) / samples if samples else None


def write_cells(path: Path, found: Mapping[str, tuple[Path, int]], failures: Mapping[str, str]) -> None:
    """Note where the runs lie and how many questions they ask, so that `--status` need not read any questions.

    What was noted before of other cells stays.
    """
    noted = {name: item for name, item in read_cells(path).items() if name not in failures}
    noted |= {name: {"directory": str(run.resolve()), "questions": count} for name, (run, count) in found.items()}
    for name, reason in failures.items():
        noted[name] = {**noted.get(name, {}), "failure": reason}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(noted, indent=1) + "\n")


def read_cells(path: Path) -> dict[str, dict[str, object]]:
    """What `write_cells` has noted, by cell; empty where the study has not begun."""
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}

"""A sitting of a study: plans for its cells, all of them worked off together, and the table at the end."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluators.analysis.loading import load_summary
from evaluators.analysis.study import StudyRow, compare_rows
from evaluators.analysis.summary_rows import Summary
from evaluators.benchmarks.benchmark import Benchmark, Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.questions import read_questions
from evaluators.cli import QuestionReader, planned
from evaluators.presentation.study_tables import csv_table, latex_table, markdown_table, text_table
from evaluators.records.journal import Tally
from evaluators.records.reading import write_atomically
from evaluators.running.interrupts import Interrupts
from evaluators.running.launch import engine_choice
from evaluators.running.many import work_off
from evaluators.running.plan import EngineChoice, Outcome, RunPlan
from evaluators.settings.run_config import RunConfig
from evaluators.settings.sources import read_settings
from evaluators.study.cells import Cell
from evaluators.study.overview import counts
from evaluators.study.reading import Study
from evaluators.study.status import CELLS_FILE, CellStatus, cell_status, read_cells, write_cells
from srgen.errors import SRGenError

LOGS = "logs"
EngineOf = Callable[[RunConfig], EngineChoice]
"""What the workers of a run load."""


@dataclass(slots=True)
class Sitting:
    """What one call of the study's command has come to."""

    study: Study
    cells: Sequence[Cell]
    plans: dict[str, RunPlan] = field(default_factory=dict)
    """By cell."""
    failures: dict[str, str] = field(default_factory=dict)
    """By cell, why it could not be worked on, or not to its end."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every cell is."""
        return all(name in self.outcomes and self.outcomes[name].complete for name in (c.name for c in self.cells))


def plan(study: Study, cells: Sequence[Cell]) -> Sitting:
    """Read the questions of every cell and find its folder; a cell that cannot be run is noted, the others go on."""
    sitting = Sitting(study, cells)
    read = _remembering(read_questions)
    for cell in cells:
        try:
            settings = read_settings(cell.family, cell.arguments)
            sitting.plans[cell.name] = planned(cell.family, settings, name=cell.name, load=load)
        except SRGenError as error:
            sitting.failures[cell.name] = str(error)
    found = {name: (run.directory, len(run.questions)) for name, run in sitting.plans.items()}
    write_cells(study.directory / CELLS_FILE, found, sitting.failures)
    return sitting


def statuses(study: Study, cells: Sequence[Cell]) -> list[CellStatus]:
    """How far the cells are, by what the study has noted and the runs' journals hold."""
    noted: Mapping[str, Mapping[str, Any]] = read_cells(study.directory / CELLS_FILE)
    found = []
    for cell in cells:
        note = noted.get(cell.name, {})
        directory = Path(note["directory"]) if "directory" in note else None
        found.append(cell_status(cell, directory, note.get("questions", cell.questions), note.get("failure", "")))
    return found


def work(sitting: Sitting, *, engine: EngineOf = engine_choice) -> bool:
    """Work until every planned cell is complete; False after an interruption.

    Raises OSError when a disk takes no more, SRGenError for what concerns all cells.
    """
    here = statuses(sitting.study, sitting.cells)
    print(counts(here), file=sys.stderr, flush=True)
    tally = Tally()
    for status in here:
        if status.cell.name in sitting.plans:
            tally += status.tally
    plans = list(sitting.plans.values())
    if plans:
        with Interrupts() as interrupts:
            outcomes = work_off(plans, sitting.study.directory / LOGS, interrupts, engine=engine, tally=tally)
        sitting.outcomes = {outcome.plan.name: outcome for outcome in outcomes}
        failed = {name: str(outcome.failure) for name, outcome in sitting.outcomes.items() if outcome.failure}
        sitting.failures |= failed
        write_cells(sitting.study.directory / CELLS_FILE, {}, failed)
    return all(outcome.complete or outcome.failure for outcome in sitting.outcomes.values())


def table(sitting: Sitting) -> list[StudyRow]:
    """A row per cell, with what there is of it."""
    return compare_rows([_row(sitting, cell) for cell in sitting.cells])


def finished_table(study: Study, cells: Sequence[Cell]) -> list[StudyRow]:
    """The same from the folders of a study that has run: cells that are not complete have no numbers."""
    rows = []
    for status in statuses(study, cells):
        done = status.directory is not None and status.complete
        summary = load_summary(status.directory) if done and status.directory else None
        rows.append(_plain_row(study, status.cell, summary, "" if done else _progress(status.tally, status.planned)))
    return compare_rows(rows)


def write_table(rows: Sequence[StudyRow], directory: Path) -> list[Path]:
    """Write table.txt, .md, .tex and .csv."""
    texts = {
        "txt": text_table(rows) + "\n",
        "md": markdown_table(rows),
        "tex": latex_table(rows),
        "csv": csv_table(rows),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for suffix, text in texts.items():
        write_atomically(directory / f"table.{suffix}", text)
    return [directory / f"table.{suffix}" for suffix in texts]


def _row(sitting: Sitting, cell: Cell) -> StudyRow:
    outcome = sitting.outcomes.get(cell.name)
    if outcome is not None and outcome.complete:
        return _plain_row(sitting.study, cell, outcome.summary, "")
    if cell.name in sitting.failures:
        return _plain_row(sitting.study, cell, None, sitting.failures[cell.name])
    (status,) = statuses(sitting.study, [cell])
    return _plain_row(sitting.study, cell, None, _progress(status.tally, status.planned))


def _progress(tally: Tally, planned: int | None) -> str:
    return f"{tally.samples} of {planned} samples are there" if tally.samples else ""


def _plain_row(study: Study, cell: Cell, summary: Summary | None, remark: str) -> StudyRow:
    return StudyRow(
        model=cell.model,
        benchmark=cell.benchmark,
        method=cell.method,
        samples=cell.config.average,
        variant=cell.variant,
        summary=summary,
        published=study.published.get((cell.model, cell.benchmark, cell.method), ()),
        remark=remark,
    )


def _remembering(read: QuestionReader) -> QuestionReader:
    """Questions are read once for all cells that ask the same; a failure too."""
    known: dict[str, tuple[list[Question], DataConfig] | SRGenError] = {}

    def remembered(benchmark: Benchmark, data: DataConfig, seed: int) -> tuple[list[Question], DataConfig]:
        key = json.dumps([dataclasses.asdict(data), seed])
        if key not in known:
            try:
                known[key] = read(benchmark, data, seed)
            except SRGenError as error:
                known[key] = error
        found = known[key]
        if isinstance(found, SRGenError):
            raise found
        return found

    return remembered

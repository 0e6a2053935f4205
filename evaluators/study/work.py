"""A sitting of a study: plans for its cells, all of them worked off together."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluators.benchmarks.benchmark import Benchmark, Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.questions import read_questions
from evaluators.cli import QuestionReader, planned
from evaluators.records.journal import Tally
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
            sitting.plans[cell.name] = planned(cell.family, settings, name=cell.name, read=read)
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
        questions = note.get("questions") or cell.questions
        found.append(cell_status(cell, directory, questions, note.get("failure", "")))
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

"""A study's table, from a sitting or from what its folders hold.

Apart from `work`, since statistics take seconds to import and a worker, which imports its program, has no use for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluators.analysis.loading import load_summary
from evaluators.analysis.study import StudyRow, compare_rows
from evaluators.analysis.summary_rows import Summary
from evaluators.presentation.study_tables import csv_table, latex_table, markdown_table, text_table
from evaluators.records.journal import Tally
from evaluators.records.reading import write_atomically
from evaluators.study.cells import Cell
from evaluators.study.reading import Study
from evaluators.study.work import Sitting, statuses


def table(sitting: Sitting) -> list[StudyRow]:
    """A row per cell, with what there is of it."""
    return compare_rows([_row(sitting, cell) for cell in sitting.cells])


def finished_table(study: Study, cells: Sequence[Cell]) -> list[StudyRow]:
    """The same from the folders of a study that has run: cells that are not complete have no numbers."""
    rows = []
    for status in statuses(study, cells):
        done = status.directory is not None and status.complete
        summary = load_summary(status.directory) if done and status.directory else None
        remark = "" if done else _progress(status.tally, status.planned)
        rows.append(_plain_row(study, status.cell, summary, remark, status.directory))
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
        return _plain_row(sitting.study, cell, outcome.summary, "", outcome.plan.directory)
    if cell.name in sitting.failures:
        return _plain_row(sitting.study, cell, None, sitting.failures[cell.name])
    (status,) = statuses(sitting.study, [cell])
    return _plain_row(sitting.study, cell, None, _progress(status.tally, status.planned))


def _progress(tally: Tally, planned: int | None) -> str:
    return f"{tally.samples} of {planned} samples are there" if tally.samples else ""


def _plain_row(
    study: Study, cell: Cell, summary: Summary | None, remark: str, directory: Path | None = None
) -> StudyRow:
    return StudyRow(
        model=cell.model,
        benchmark=cell.benchmark,
        method=cell.method,
        samples=cell.config.average,
        variant=cell.variant,
        summary=summary,
        published=study.published.get((cell.model, cell.benchmark, cell.method), ()),
        remark=remark,
        directory=directory,
    )

"""`python -m evaluators.runs [FOLDER ...]`: the runs below folders, how far each is, and its accuracy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.records.journal import Tally
from evaluators.records.reading import Run, read_config, read_lines
from evaluators.records.schema import CONFIG_FILE, QUESTIONS_JSONL, SAMPLES_FILE, Sample
from srgen.command_line import Parser, called, command
from srgen.errors import SRGenError

HEADINGS = ("benchmark", "model", "method", "samples", "accuracy", "folder")


@dataclass(frozen=True, slots=True)
class RunState:
    """How far a run is, by its folder alone: it may be going on."""

    directory: Path
    benchmark: str
    model: str
    method: str
    planned: int
    tally: Tally

    def row(self) -> tuple[str, ...]:
        """Its line in the table."""
        accuracy = f"{100 * self.tally.correct / self.tally.samples:.1f} %" if self.tally.samples else "-"
        samples = f"{self.tally.samples}/{self.planned}"
        return self.benchmark, self.model, self.method, samples, accuracy, str(self.directory)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 1 where a run cannot be read."""
    parser = Parser(prog=called("list", "evaluators.runs"), description="The runs that there are.")
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER", default=[Path("results")], help="default: results"
    )
    rows, damaged = [], []
    for folder in parser.parse_args(arguments).folders:
        if not folder.is_dir():
            raise SRGenError(f"there is no folder {folder}; name the folder that --output_dir was given")
        for directory in run_directories(folder):
            try:
                rows.append(state(directory).row())
            except SRGenError as error:
                damaged.append(f"cannot be read: {error}")
    if rows:
        widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
        for row in (HEADINGS, *sorted(rows)):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    elif not damaged:
        print("no runs yet")
    print("\n".join(damaged), end="\n" if damaged else "")
    return int(bool(damaged))


def run_directories(folder: Path) -> Iterator[Path]:
    """Folders with a run in them, below a folder or itself; nothing is looked for inside a run."""
    for place, inside, files in os.walk(folder):
        inside.sort()
        if CONFIG_FILE in files and (QUESTIONS_JSONL in files or SAMPLES_FILE in files):
            inside.clear()
            yield Path(place)


def state(directory: Path) -> RunState:
    """How far a run is. Raises SRGenError where a file of it is damaged."""
    run = Run(directory, read_config(directory), (), {}, 0.0)
    tally = Tally()
    try:
        for row in read_lines(directory / SAMPLES_FILE):
            tally.add(Sample.from_json(row))
    except TypeError as error:
        raise SRGenError(f"{directory / SAMPLES_FILE} is not a journal of this version: {error}") from None
    questions = sum(1 for _ in read_lines(directory / QUESTIONS_JSONL))
    return RunState(directory, run.benchmark, run.model, run.method, questions * run.samples_per_question, tally)


if __name__ == "__main__":
    raise SystemExit(main())

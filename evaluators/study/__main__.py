"""`python -m evaluators.study STUDY.yaml`: models x benchmarks x methods, to one table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from evaluators.running.run import DISK_ERRORS, tell_failed
from evaluators.study import work
from evaluators.study.cells import Cell
from evaluators.study.overview import commands, counts, failures, status_table
from evaluators.study.reading import Study, read_study
from srgen.command_line import DONE, FAILED, INTERRUPTED, Parser, called, command


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all cells are complete, 1 when some failed or a disk is full, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        study = read_study(options.study)
        cells = study.chosen(options.only)
        if options.dry_run:
            return _dry_run(study, cells)
        if options.status:
            print(status_table(work.statuses(study, cells)))
            return DONE
        return _run(study, cells)
    except KeyboardInterrupt:
        print("\nStopped at once; the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        print(f"\nThe study has stopped: {error.strerror}; the same command goes on from there.", file=sys.stderr)
        return FAILED


def _dry_run(study: Study, cells: Sequence[Cell]) -> int:
    """The table as it stands, and every command; nothing is read from a hub, no model is needed."""
    from evaluators.presentation.study_tables import text_table
    from evaluators.study.table import finished_table

    print(text_table(finished_table(study, cells)))
    print(f"\n{counts(work.statuses(study, cells))}\n")
    print(commands(cells))
    return DONE


def _run(study: Study, cells: Sequence[Cell]) -> int:
    sitting = work.plan(study, cells)
    for line in failures(sitting.failures):
        print(f"cannot run {line}", file=sys.stderr)
    finished = work.work(sitting)
    # Statistics take seconds to import; a worker, which imports the program that it belongs to, has no use for them.
    from evaluators.presentation.study_tables import text_table
    from evaluators.study.index import write_index
    from evaluators.study.table import table, write_table

    tell_failed([sample for outcome in sitting.outcomes.values() for sample in outcome.failed])
    rows = table(sitting)
    print(text_table(rows))
    written = write_table(rows, study.directory)
    if len(cells) == len(study.cells) and sitting.complete:
        written += write_index(sitting, study.directory)
    print("\nwritten: " + ", ".join(str(path) for path in written))
    if not finished:
        print("Interrupted; all graded samples are safe, and the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    if sitting.failures:
        print(f"{len(sitting.failures)} of {len(cells)} cells failed (see above)", file=sys.stderr)
        return FAILED
    return DONE


def _parser() -> Parser:
    parser = Parser(
        prog=called("study", "evaluators.study"),
        description="Run every cell of a study (models x benchmarks x methods) and print its table. docs/studies.md",
    )
    parser.add_argument("study", type=Path, metavar="STUDY.yaml")
    parser.add_argument("--dry_run", action="store_true", help="check all, print the table and the cells' commands")
    parser.add_argument("--status", action="store_true", help="say how far each cell is; also while the study runs")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only cells MODEL/BENCHMARK/METHOD that match (`*/aime:2024/*`) or contain it; may be repeated",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

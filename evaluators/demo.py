"""`python -m evaluators.demo`: the embedded model answers the embedded questions; a table and a report of all samples.

It takes the flags of `python -m evaluators.study`, and fetches the model where it is not there yet.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from evaluators.study.__main__ import main as run_study
from evaluators.study.reading import read_study
from evaluators.study.status import CELLS_FILE, read_cells
from srgen.command_line import DONE, command, given
from srgen.demo_model import demo_folder, fetch

STUDY = Path(__file__).parent / "study" / "demo.yaml"
REPORT = "report.html"


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is the study's."""
    flags = given(arguments)
    generates = not {"-h", "--help", "--dry_run", "--status"} & set(flags)
    if generates and not (demo_folder() / "config.json").exists():
        print("fetching the embedded model, once", file=sys.stderr)
        fetch(demo_folder())
    status = run_study([str(STUDY), *flags])
    if status == DONE and generates:
        print(f"report: {write_report_of(STUDY)}")
    return status


def write_report_of(file: Path) -> Path:
    """Write the report of a study's runs beside its table; its path. Raises SRGenError where a run cannot be read."""
    from evaluators.report import write_report  # statistics take seconds to import; a worker has no use for them

    directory = read_study(file).directory
    runs = [Path(str(cell["directory"])) for cell in read_cells(directory / CELLS_FILE).values()]
    write_report(runs, directory / REPORT)
    return directory / REPORT


if __name__ == "__main__":
    raise SystemExit(main())

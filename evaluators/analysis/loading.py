"""A run's summary, wherever it is: read from its CSV files, or made from its samples."""

from __future__ import annotations

from pathlib import Path

from evaluators.analysis.summary_rows import Summary, read_summary
from evaluators.records.schema import CONFIG_FILE, SUMMARY_CSV
from srgen.errors import SRGenError


def load_summary(run: Path) -> Summary:
    """A run's summary from its directory or its summary.csv; written first where the run never came to that.

    Raises SRGenError where there is no run, or its files are damaged.
    """
    if (run / CONFIG_FILE).is_file() and not (run / SUMMARY_CSV).is_file():
        from evaluators.analysis.summary import summarise  # grading is slow to import, and rarely needed here

        return summarise(run)
    if not run.exists():
        raise SRGenError(f"{run} does not exist")
    return read_summary(run)

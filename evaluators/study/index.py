"""One page over all runs of a study."""

from __future__ import annotations

import sys
from pathlib import Path

from evaluators.report import write_report
from evaluators.study.work import Sitting
from srgen.errors import SRGenError

INDEX = "index.html"


def write_index(sitting: Sitting, directory: Path) -> list[Path]:
    """Write the report over the study's runs; where the libraries for it are not installed, say so and write none."""
    runs = [outcome.plan.directory for outcome in sitting.outcomes.values() if outcome.complete]
    try:
        write_report(runs, directory / INDEX)
    except (SRGenError, ImportError) as error:
        print(f"no index was written: {error}", file=sys.stderr)
        return []
    return [directory / INDEX]

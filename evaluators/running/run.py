"""`evaluate`: a benchmark's questions through the workers, the grading and the journal, to the summary."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluators.records.schema import ENTROPIES_FILE, SAMPLES_FILE, Sample
from evaluators.running.folder import check_places
from evaluators.running.interrupts import Interrupts
from evaluators.running.launch import engine_choice
from evaluators.running.many import work_off
from evaluators.running.plan import EngineChoice, Outcome, RunPlan

LOGS = "logs"
DONE, STOPPED, INTERRUPTED = 0, 1, 130
"""Exit statuses."""

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES}


def evaluate(plan: RunPlan, *, entropy_output_file: Path | None = None, engine: EngineChoice | None = None) -> int:
    """Generate, grade and journal every sample that the plan's folder does not hold; then summarise and print.

    `engine`: what workers load in place of the plan's model. Returns the exit status: 0 when all samples are there, 130
    after an interruption, 1 when the disk takes no more. Raises SRGenError for what the user has to change, a folder of
    another configuration among it.
    """
    directory = plan.directory
    check_places(directory, entropy_output_file)
    try:
        with Interrupts() as interrupts:
            (outcome,) = work_off(
                [plan], directory / LOGS, interrupts, engine=lambda config: engine or engine_choice(config)
            )
        return _conclude(outcome, entropy_output_file)
    except KeyboardInterrupt:
        print(f"\nStopped at once. {_how_to_resume(directory)}", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        print(f"\nThe run has stopped: {error.strerror} ({directory}). {_how_to_resume(directory)}", file=sys.stderr)
        return STOPPED


def _conclude(outcome: Outcome, entropy_output_file: Path | None) -> int:
    """Print what there is."""
    from evaluators.presentation.run_table import final_table  # statistics take seconds to import

    if outcome.failure is not None:
        raise outcome.failure
    directory = outcome.plan.directory
    tell_failed(outcome.failed)
    if entropy_output_file is not None and (directory / ENTROPIES_FILE).is_file():
        entropy_output_file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(directory / ENTROPIES_FILE, entropy_output_file)
    summary = outcome.summary
    if summary is not None and (outcome.complete or summary.missing < summary.samples):
        print(final_table(summary))
    print(f"Results: {directory}")
    if outcome.complete:
        return DONE
    print(f"Interrupted. {_how_to_resume(directory)}", file=sys.stderr)
    return INTERRUPTED


def tell_failed(failed: Sequence[Sample]) -> None:
    """Say how many samples could not be generated, and why the first could not."""
    if failed:
        first = failed[0]
        print(
            f"{len(failed)} samples could not be generated and count as wrong; "
            f"the first is {first.question_id}/{first.sample}: {first.error}",
            file=sys.stderr,
        )


def _how_to_resume(directory: Path) -> str:
    return f"All graded samples are safe in {directory / SAMPLES_FILE}; the same command goes on from there."

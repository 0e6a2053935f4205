"""`evaluate`: a benchmark's questions through the workers, the grading and the journal, to the summary."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evaluators.records.schema import ENTROPIES_FILE, SAMPLES_FILE, Sample
from evaluators.running.campaign import Campaign
from evaluators.running.folder import check_places
from evaluators.running.interrupts import Interrupts
from evaluators.running.launch import engine_choice
from evaluators.running.local_fleet import leave_if_importing
from evaluators.running.many import work_off
from evaluators.running.plan import EngineChoice, Outcome, RunPlan
from srgen.command_line import DONE, FAILED, INTERRUPTED

LOGS = "logs"

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES}


def evaluate(plan: RunPlan, *, entropy_output_file: Path | None = None, engine: EngineChoice | None = None) -> int:
    """Generate, grade and journal every sample that the plan's folder does not hold; then summarise and print.

    `engine`: what workers load in place of the plan's model. Returns the exit status: 0 when all samples are there, 130
    after an interruption, 1 when the disk takes no more. Raises SRGenError for what the user has to change, a folder of
    another configuration among it.
    """
    leave_if_importing()
    check_places(plan.directory, entropy_output_file)

    def work() -> int:
        (outcome,) = _worked_off([plan], engine)
        return _conclude(outcome, entropy_output_file)

    return _stoppable(work, plan)


def evaluate_until_settled(
    base: RunPlan, other: RunPlan, *, smallest_effect: float | None = None, engine: EngineChoice | None = None
) -> int:
    """Sample both runs in rounds until their comparison is settled; then summarise and print it.

    `smallest_effect`: see `Campaign`. Otherwise as `evaluate`, with status 0 once the comparison is settled or all
    samples are there.
    """
    leave_if_importing()
    for plan in (base, other):
        check_places(plan.directory, None)
    campaign = Campaign(base, other, smallest_effect)

    def work() -> int:
        outcomes = _worked_off([base, other], engine, campaign)
        for outcome in outcomes:
            if outcome.failure is not None:
                raise outcome.failure
            tell_failed(outcome.failed)
        _print_comparison(outcomes, smallest_effect)
        if campaign.settled or all(outcome.complete for outcome in outcomes):
            return DONE
        print(f"Interrupted. {_how_to_resume(other.directory)}", file=sys.stderr)
        return INTERRUPTED

    return _stoppable(work, other)


def _worked_off(
    plans: Sequence[RunPlan], engine: EngineChoice | None, campaign: Campaign | None = None
) -> list[Outcome]:
    with Interrupts() as interrupts:
        return work_off(
            plans,
            plans[-1].directory / LOGS,
            interrupts,
            engine=lambda config: engine or engine_choice(config),
            watch=campaign,
        )


def _stoppable(work: Callable[[], int], plan: RunPlan) -> int:
    """The status of the work, or what it means that it was stopped."""
    try:
        return work()
    except KeyboardInterrupt:
        print(f"\nStopped at once. {_how_to_resume(plan.directory)}", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        print(
            f"\nThe run has stopped: {error.strerror} ({plan.directory}). {_how_to_resume(plan.directory)}",
            file=sys.stderr,
        )
        return FAILED


def _print_comparison(outcomes: Sequence[Outcome], smallest_effect: float | None) -> None:
    """The comparison as `compare` prints it, which may be looked at after any round."""
    from evaluators.analysis.pairing import pair_up  # statistics take seconds to import
    from evaluators.presentation.comparison_remarks import remarks
    from evaluators.presentation.comparison_tables import text_table
    from evaluators.presentation.verdict import verdicts

    runs = [outcome.plan.directory for outcome in outcomes]
    summaries = [outcome.summary for outcome in outcomes if outcome.summary is not None]
    (pair,) = pair_up(summaries, runs, [(0, 1)], sequential=True, smallest_effect=smallest_effect)
    if pair.comparison is None:
        print(pair.refusal, file=sys.stderr)
    else:
        shown = [pair.comparison]
        print("\n".join([text_table(shown), *verdicts(shown), *(f"  {line}" for line in remarks(pair.comparison))]))
    print(f"Results: {runs[0]} and {runs[1]}")


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

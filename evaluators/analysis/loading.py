"""A run's summary, wherever it is: read from its CSV files, or made from its samples."""

from __future__ import annotations

import logging
from pathlib import Path

from evaluators.analysis.summary_rows import Summary, read_summary
from evaluators.records.reading import journal_hash, read_run
from evaluators.records.schema import CONFIG_FILE, SAMPLES_FILE, SUMMARY_CSV
from srgen.errors import SRGenError

log = logging.getLogger(__name__)


def load_summary(run: Path) -> Summary:
    """A run's summary from its directory or its summary.csv; written first where the run never came to that.

    Raises SRGenError where there is no run, or its files are damaged.
    """
    if not run.exists():
        raise SRGenError(f"{run} does not exist")
    folder = run if run.is_dir() else run.parent
    if not (folder / CONFIG_FILE).is_file():
        return read_summary(run)
    if not (folder / SUMMARY_CSV).is_file():
        return _made_anew(folder)
    summary = read_summary(run)
    if _is_stale(summary, folder):
        log.warning("%s has changed since its summary was made: the summary is made anew", folder / SAMPLES_FILE)
        return _made_anew(folder)
    return summary


def stored_summary(folder: Path, samples: int, correct: int, tokens: int) -> Summary | None:
    """The summary in a run's CSV files, without writing any; None where there is none of just these samples."""
    if not (folder / SUMMARY_CSV).is_file():
        return None
    try:
        summary = read_summary(folder)
    except SRGenError:
        return None  # half-written, or of an earlier version: the run's own command makes it anew
    counted = summary.samples - summary.missing, int(summary.by_question["correct"].sum()), summary.tokens
    return summary if counted == (samples, correct, tokens) else None


def _made_anew(folder: Path) -> Summary:
    from evaluators.analysis.summary import summarise  # grading is slow to import, and rarely needed here

    return summarise(folder)


def _is_stale(summary: Summary, folder: Path) -> bool:
    """Whether the samples are others than those that were summarised. Raises SRGenError where they are damaged."""
    if summary.journal_hash:
        return summary.journal_hash != journal_hash(folder)
    samples = read_run(folder).counted  # from before the hash was written: what can be counted is
    counted = (len(samples), sum(s.correct for s in samples), sum(s.generated_tokens for s in samples))
    return counted != (summary.samples - summary.missing, summary.by_question["correct"].sum(), summary.tokens)

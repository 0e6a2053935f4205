"""How far a run is, from its folder alone: what the lists and the live lines show."""

from __future__ import annotations

from typing import Any

from evaluators.analysis.bounded_mean import mean_interval
from evaluators.records.indexed_run import IndexedRun


def progress(run: IndexedRun) -> dict[str, Any]:
    """Counts, the accuracy of the samples that are there with its interval over questions (percent), and workers."""
    journal = run.journal
    there = journal.offset >= 0
    per_question = there.sum(axis=1)
    asked = per_question > 0
    right = (journal.verdict == "c").sum(axis=1)
    accuracy = right[asked] / per_question[asked]
    low, high = mean_interval(accuracy) if len(accuracy) else (float("nan"), float("nan"))
    samples = int(there.sum())
    return {
        "state": run.state,
        "samples": samples,
        "planned": run.planned,
        "correct": int(right.sum()),
        "failed": int((journal.verdict == "f").sum()),
        "accuracy": 100 * float(accuracy.mean()) if len(accuracy) else float("nan"),
        "accuracy_low": 100 * low,
        "accuracy_high": 100 * high,
        "tokens": int(journal.tokens.sum()),
        "reflections": int(journal.reflections.sum()),
        "wall_seconds": run.wall_seconds,
        "workers": [
            {
                "name": name,
                "samples": int((journal.worker == number).sum()),
                "tokens": int(journal.tokens[journal.worker == number].sum()),
            }
            for name, number in sorted(journal.workers.items())
        ],
    }

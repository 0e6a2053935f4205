"""How far a run is, from its folder alone: what the lists and the live lines show."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from evaluators.analysis.bounded_mean import mean_interval
from evaluators.analysis.summary_rows import Summary
from evaluators.analysis.wilson import wilson
from evaluators.records.indexed_run import IndexedRun


def progress(run: IndexedRun, summary: Summary | None = None) -> dict[str, Any]:
    """Counts, the accuracy of the samples that are there with its interval (percent), and workers.

    The interval of a complete run is that of its Avg@K, from its summary where there is one; before, as on the
    terminal, Wilson's for as many questions as have a sample.
    """
    journal = run.journal
    there = journal.offset >= 0
    right = (journal.verdict == "c").sum(axis=1)
    samples = int(there.sum())
    rate = int(right.sum()) / samples if samples else math.nan
    if samples == run.planned:
        if summary is not None:
            low, high = summary.avg_low / 100, summary.avg_high / 100
        else:
            low, high = _interval(tuple(right.tolist()), run.run.samples_per_question)
    else:
        low, high = wilson(rate, int(there.any(axis=1).sum()))
    return {
        "state": run.state,
        "samples": samples,
        "planned": run.planned,
        "correct": int(right.sum()),
        "failed": int((journal.verdict == "f").sum()),
        "accuracy": 100 * rate,
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


@functools.lru_cache(maxsize=1024)
def _interval(right: tuple[int, ...], k: int) -> tuple[float, float]:
    """Of the mean of right / k; kept, since whoever watches runs asks for it every second."""
    return mean_interval(np.array(right) / k)

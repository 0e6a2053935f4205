"""A worker's report as what the journal takes."""

from __future__ import annotations

import dataclasses
import math

from evaluators.records.journal import Entry
from evaluators.records.schema import Sample
from evaluators.records.signals import rows_of, summarised
from evaluators.running.workers import Done


def entry(sample: Sample, done: Done | None) -> Entry:
    """A sample with its recordings, from the worker's report; without them where nothing was recorded."""
    signals = None if done is None else done.completion.signals
    if signals is not None:
        sample = dataclasses.replace(sample, confidence=summarised(rows_of(signals)))
    if done is None or done.completion.entropies is None:
        return Entry(sample=sample, signals=signals)
    key = {"question_id": sample.question_id, "sample": sample.sample}
    reflections = tuple(
        {**key, **dataclasses.asdict(reflection), "token_before": before, "token_after": after}
        for reflection, (before, after) in zip(done.completion.reflections, done.corrections, strict=True)
    )
    entropies = [None if math.isnan(value) else value for value in done.completion.entropies]
    return Entry(
        sample=sample,
        reflections=reflections,
        entropies={**key, "tokens": list(done.tokens), "entropies": entropies},
        signals=signals,
    )

"""A worker's report as what the journal takes."""

from __future__ import annotations

import dataclasses
import math

from evaluators.records.journal import Entry
from evaluators.records.schema import Sample
from evaluators.running.workers import Done


def entry(sample: Sample, done: Done | None) -> Entry:
    """A sample with its recordings, from the worker's report; without them where nothing was recorded."""
    if done is None or done.completion.entropies is None:
        return Entry(sample=sample)
    key = {"question_id": sample.question_id, "sample": sample.sample}
    reflections = tuple(
        {**key, **dataclasses.asdict(reflection), "token_before": before, "token_after": after}
        for reflection, (before, after) in zip(done.completion.reflections, done.corrections, strict=True)
    )
    entropies = [None if math.isnan(value) else value for value in done.completion.entropies]
    return Entry(
        sample=sample, reflections=reflections, entropies={**key, "tokens": list(done.tokens), "entropies": entropies}
    )

"""One sample as its page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluators.grading.answer.tags import parse
from evaluators.records.reading import Recording
from evaluators.records.schema import Sample


def sample_document(
    sample: Sample, recording: Recording | None, reflections: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The response with what was recorded of it: entropies in nats by token, and every reflection."""
    document: dict[str, Any] = {
        "response": sample.response,
        "answer": sample.answer,
        "status": sample.status,
        "finish": sample.finish_reason,
        "tokens": sample.generated_tokens,
        "reflections": sample.reflections,
        "seconds": round(sample.seconds, 1),
        "seed": str(sample.seed),  # of 64 bits, which a number in a browser does not hold
        "worker": sample.worker,
    }
    for name in ("error", "reasoning", "reader", "methods"):
        if value := getattr(sample, name):
            document[name] = value
    if recording:
        document["pieces"] = recording.tokens
        document["entropies"] = [None if value is None else round(value, 2) for value in recording.entropies]
    if reflections:
        document["marks"] = [_mark(row) for row in sorted(reflections, key=lambda row: int(row["position"]))]
    return document


def tag_parts(sample: Sample) -> dict[str, Any]:
    """With answers in tags: what keeps the response from being well-formed, its refine passages, its tokens by part."""
    tagged = parse(sample.response, sample.before)
    return {"tags": {"fault": tagged.fault, "refines": len(tagged.refines), "tokens": sample.tag_tokens}}


def _mark(row: Mapping[str, Any]) -> dict[str, Any]:
    """A reflection; entropies in nats."""
    mark = {"position": int(row["position"]), "token_before": row["token_before"], "token_after": row["token_after"]}
    mark["losses"] = [round(float(loss), 4) for loss in row["losses"]]
    for name in ("entropy_before", "entropy_after", "threshold", "delta_norm"):
        mark[name] = round(float(row[name]), 4)
    for name in ("probabilities_before", "probabilities_after"):
        if row.get(name):  # runs of before did not record them
            mark[name] = [float(value) for value in row[name]]
    return mark

"""What the report's page holds: every question with its verdicts, and the samples' texts in pages of limited size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluators.analysis.comparison import Comparison
from evaluators.benchmarks.benchmark import Question
from evaluators.records.reading import Recording, Run, SampleKey, read_recordings, read_reflections
from evaluators.records.schema import Sample

FIRST_PAGE_BYTES = 16_000_000
"""Text of samples inside the HTML file itself, which must stay under 30 MB."""
PAGE_BYTES = 8_000_000
"""Text of samples in each file beside it."""

_VERDICTS = {"correct": "c", "incorrect": "i", "no_answer": "n", "timeout": "t", "failed": "f"}
_MISSING = "m"


@dataclass(slots=True)
class Entry:
    """One question, and what the runs that asked it made of it."""

    benchmark: str
    question: Question
    verdicts: dict[int, str] = field(default_factory=dict)
    """By run, one letter a sample: correct, incorrect, no answer, timeout, failed, missing."""
    flips: dict[int, str] = field(default_factory=dict)
    """By run, what became of the vote against the run's base."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What `--record_entropy` kept of a run."""

    recordings: Mapping[SampleKey, Recording]
    reflections: Mapping[SampleKey, list[dict[str, Any]]]


def entries(runs: Sequence[Run], comparisons: Mapping[int, Comparison]) -> list[Entry]:
    """The questions of all runs, each once; `comparisons` are by the index of the run compared with its base."""
    found: dict[tuple[str, str, str, str], Entry] = {}
    for number, run in enumerate(runs):
        for question in run.questions:
            key = (run.benchmark, question.id, question.prompt, question.gold)
            entry = found.setdefault(key, Entry(run.benchmark, question))
            entry.verdicts[number] = "".join(
                _verdict(run.samples.get((question.id, index))) for index in range(run.samples_per_question)
            )
    for number, comparison in comparisons.items():
        flips = dict(zip(comparison.question_ids, comparison.flips, strict=True))
        for entry in found.values():
            if number in entry.verdicts and entry.question.id in flips:
                entry.flips[number] = flips[entry.question.id]
    return list(found.values())


def traces(run: Run) -> Traces:
    """The recordings of a run, by sample."""
    reflections: dict[SampleKey, list[dict[str, Any]]] = {}
    for row in read_reflections(run.directory):
        reflections.setdefault((row["question_id"], row["sample"]), []).append(row)
    return Traces(read_recordings(run.directory), reflections)


def pages(runs: Sequence[Run], questions: Sequence[Entry]) -> Iterator[tuple[list[int], str]]:
    """Pack the samples' texts: the questions of each page, by number, and the page as a JSON object."""
    kept = [traces(run) for run in runs]
    numbers: list[int] = []
    parts: list[str] = []
    size, limit = 0, FIRST_PAGE_BYTES
    for number, entry in enumerate(questions):
        part = f"{json.dumps(str(number))}:{safe_json(_bodies(entry, runs, kept))}"
        if numbers and size + len(part) > limit:
            yield numbers, "{" + ",".join(parts) + "}"
            numbers, parts, size, limit = [], [], 0, PAGE_BYTES
        numbers.append(number)
        parts.append(part)
        size += len(part)
    yield numbers, "{" + ",".join(parts) + "}"


def index(runs: Sequence[Run], questions: Sequence[Entry], page_of: Mapping[int, int]) -> dict[str, Any]:
    """Everything that filters need, without the samples' texts."""
    return {
        "runs": [{"name": run_name(run), "method": run.method} for run in runs],
        "questions": [
            {
                "id": entry.question.id,
                "benchmark": entry.benchmark,
                "prompt": entry.question.prompt,
                "gold": entry.question.gold,
                "verdicts": entry.verdicts,
                "flips": entry.flips,
                "page": page_of[number],
            }
            for number, entry in enumerate(questions)
        ],
    }


def run_name(run: Run) -> str:
    """A run's name in the report: its folder says more than its method."""
    return f"{run.benchmark} / {run.model} / {run.directory.resolve().name}"


def safe_json(value: Any) -> str:
    """JSON in ASCII that may stand inside a script element, whatever a model wrote."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _verdict(sample: Sample | None) -> str:
    return _MISSING if sample is None else _VERDICTS[sample.status]


def _bodies(entry: Entry, runs: Sequence[Run], kept: Sequence[Traces]) -> dict[int, dict[int, Any]]:
    """The samples' texts of one question, by run and sample."""
    return {
        number: {
            index: _body(sample, kept[number])
            for index in range(runs[number].samples_per_question)
            if (sample := runs[number].samples.get((entry.question.id, index)))
        }
        for number in entry.verdicts
    }


def _body(sample: Sample, kept: Traces) -> dict[str, Any]:
    key = (sample.question_id, sample.sample)
    body: dict[str, Any] = {
        "response": sample.response,
        "answer": sample.answer,
        "finish": sample.finish_reason,
        "tokens": sample.generated_tokens,
        "reflections": sample.reflections,
        "seconds": round(sample.seconds, 1),
    }
    if sample.error:
        body["error"] = sample.error
    if recording := kept.recordings.get(key):
        body["pieces"] = recording.tokens
        body["entropies"] = [None if value is None else round(value, 2) for value in recording.entropies]
    if marks := kept.reflections.get(key):
        body["marks"] = [_mark(mark) for mark in sorted(marks, key=lambda mark: int(mark["position"]))]
    return body


def _mark(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "position": row["position"],
        "before": round(row["entropy_before"], 3),
        "after": round(row["entropy_after"], 3),
        "threshold": round(row["threshold"], 3),
        "token_before": row["token_before"],
        "token_after": row["token_after"],
        "losses": [round(loss, 4) for loss in row["losses"]],
        "delta_norm": round(row["delta_norm"], 4),
    }

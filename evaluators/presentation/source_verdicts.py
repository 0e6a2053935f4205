"""Text for people: another grader's verdicts beside ours."""

from __future__ import annotations

from collections.abc import Mapping

from evaluators.records.reading import SampleKey
from evaluators.records.schema import Sample
from evaluators.records.source_verdicts import SourceVerdict


def disagreements(samples: Mapping[SampleKey, Sample], verdicts: Mapping[SampleKey, SourceVerdict]) -> list[str]:
    """Both scores over the samples that both graded, then a line for each sample on which they differ."""
    both = [(samples[key], verdict) for key, verdict in verdicts.items() if key in samples]
    if not both:
        return []
    theirs = sum(verdict.correct for _, verdict in both)
    ours = sum(sample.correct for sample, _ in both)
    differ = [(sample, verdict) for sample, verdict in both if sample.correct != verdict.correct]
    return [
        f"the source's own grader: {theirs} of {len(both)} right ({100 * theirs / len(both):.1f} %); ours: {ours} "
        f"({100 * ours / len(both):.1f} %); they differ on {len(differ)}",
        *(_line(sample, verdict) for sample, verdict in differ),
    ]


def _line(sample: Sample, verdict: SourceVerdict) -> str:
    theirs = "correct" if verdict.correct else "incorrect"
    said = "" if verdict.answer is None else f" ({_short(verdict.answer)})"
    return (
        f"  {sample.question_id}, sample {sample.sample}: {theirs}{said} there, "
        f"{sample.status} ({_short(sample.answer)}) here"
    )


def _short(answer: str | None) -> str:
    text = " ".join(str(answer).split())
    return text if len(text) <= 60 else text[:57] + "..."

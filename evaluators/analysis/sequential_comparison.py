"""A comparison of two runs cut off at the round that settles it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from evaluators.analysis import metrics
from evaluators.analysis.comparison import METRICS, Comparison, Difference, Metric, question_values
from evaluators.analysis.inference import Interval
from evaluators.analysis.metrics import FloatArray
from evaluators.analysis.power import power
from evaluators.analysis.sequential import Decision, decide
from evaluators.records.reading import Run, read_run
from evaluators.records.stopped import stopped
from srgen.errors import SRGenError

_WORDS = {"better": "settled", "worse": "settled", "futile": "stopped for futility", "open": "not settled"}


def looked_at(runs: tuple[Path, Path]) -> bool:
    """Whether one of two runs (folders or summary CSVs) was sampled until a comparison was settled.

    A test at a fixed K would then find differences too often. Raises SRGenError where the record of it is damaged.
    """
    return any(stopped(_folder(run)) for run in runs)


def sequential(comparison: Comparison, runs: tuple[Path, Path], smallest_effect: float | None = None) -> Comparison:
    """The comparison of two runs at the round that settles it, or at their last complete one.

    `smallest_effect` is in points; without it that of the campaign which stopped the runs, if any, holds. Raises
    SRGenError where no round is complete, or the runs' folders are not there to tell.
    """
    marks = [mark for run in runs if (mark := stopped(_folder(run)))]
    if smallest_effect is None:
        smallest_effect = next((mark.smallest_effect for mark in marks), None)
    rounds = min(comparison.samples, *(complete_rounds(read_run(_folder(run))) for run in runs))
    if rounds == 0:
        raise SRGenError("no round is complete: a sequential comparison needs sample 1 of every question in both runs")
    base, other = comparison.base_classes[:, :rounds], comparison.other_classes[:, :rounds]
    decision = decide(base, other, None if smallest_effect is None else smallest_effect / 100)
    base, other = base[:, : decision.rounds], other[:, : decision.rounds]
    first, second = question_values(base), question_values(other)
    return dataclasses.replace(
        comparison,
        base_classes=base,
        other_classes=other,
        differences={metric: _difference(metric, first[metric], second[metric], decision) for metric in METRICS},
        power=power(metrics.accuracies(base), metrics.accuracies(other), decision.rounds),
        notes=(_note(decision, rounds, smallest_effect), *comparison.notes),
        decision=decision,
    )


def complete_rounds(run: Run) -> int:
    """Rounds of a run of which every question's sample is there; later samples, often the short ones, do not count."""
    rounds = 0
    while rounds < run.samples_per_question and all((question.id, rounds) in run.samples for question in run.questions):
        rounds += 1
    return rounds


def _folder(run: Path) -> Path:
    return run if run.is_dir() else run.parent


def _difference(metric: Metric, first: FloatArray, second: FloatArray, decision: Decision) -> Difference:
    base, other = 100 * float(first.mean()), 100 * float(second.mean())
    if metric != "Avg":  # the sequential test is of Avg
        return Difference(base=base, other=other, interval=Interval(math.nan, math.nan), p=math.nan, p_holm=math.nan)
    low, high = decision.interval
    return Difference(base=base, other=other, interval=Interval(100 * low, 100 * high), p=decision.p, p_holm=decision.p)


def _note(decision: Decision, rounds: int, smallest_effect: float | None) -> str:
    named = "" if smallest_effect is None else f"; the smallest effect asked for is {smallest_effect:g} points"
    return (
        f"sequential: {_WORDS[decision.outcome]} after round {decision.rounds} of {rounds} complete ones, "
        f"{decision.gained} pairs of samples gained and {decision.lost} lost; the interval is a confidence sequence "
        f"and p is 1 / E, both valid at every look; the claim is about these questions{named}"
    )

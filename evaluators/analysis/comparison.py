"""Two runs on the same questions: differences with their intervals and p-values, and what they could have found."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluators.analysis import inference, metrics
from evaluators.analysis.inference import Interval
from evaluators.analysis.metrics import FloatArray, IntArray
from evaluators.analysis.power import Power, power
from evaluators.analysis.summary_rows import Summary, classes_of
from srgen.errors import SRGenError

Metric = Literal["Avg", "Cons", "Pass"]
METRICS: tuple[Metric, ...] = ("Avg", "Cons", "Pass")
Flip = Literal["gained", "lost", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One metric of both runs and their difference; everything in percent or percentage points."""

    base: float
    other: float
    interval: Interval
    p: float
    p_holm: float
    """Adjusted over the benchmarks compared together; equal to `p` for one."""

    @property
    def delta(self) -> float:
        """Other less base, in points."""
        return self.other - self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs compared question by question."""

    base: Summary
    other: Summary
    question_ids: tuple[str, ...]
    base_classes: IntArray
    other_classes: IntArray
    """Outcomes of the compared samples [Q, K], as in `evaluators.analysis.metrics`."""
    differences: dict[Metric, Difference]
    power: Power
    notes: tuple[str, ...]
    """What a reader must know before believing the numbers."""

    @property
    def samples(self) -> int:
        """K, of the samples compared."""
        return int(self.base_classes.shape[1])

    @property
    def model(self) -> str:
        """The model's name, or both where they differ."""
        return self.base.model if self.base.model == self.other.model else f"{self.base.model} / {self.other.model}"

    @property
    def flips(self) -> list[Flip]:
        """What became of the vote on each question: its credit rose, fell or stayed."""
        return [flip(a, b) for a, b in zip(_cons(self.base_classes), _cons(self.other_classes), strict=True)]


def flip(base_credit: float, other_credit: float) -> Flip:
    """The name of a change in a question's vote."""
    return "gained" if other_credit > base_credit else "lost" if other_credit < base_credit else "unchanged"


def compare(base: Summary, other: Summary, *, common: bool = False) -> Comparison:
    """Compare two runs by question.

    Raises SRGenError with the reason where they differ in questions, K or grading version, unless `common`: then the
    questions and samples that both have are compared, and the notes say so.
    """
    shared = base.by_question.merge(
        other.by_question, on=["question_id", "question_hash"], suffixes=("_base", "_other")
    )
    obstacles = _obstacles(base, other, len(shared))
    if obstacles and not common:
        raise SRGenError(
            f"{_name(base)} and {_name(other)} should not be compared: {'; '.join(obstacles)}. "
            "--common compares what they share"
        )
    if shared.empty:
        raise SRGenError(f"{_name(base)} and {_name(other)} have no question in common")
    samples = min(base.k, other.k)
    first = classes_of(shared, "classes_base")[:, :samples]
    second = classes_of(shared, "classes_other")[:, :samples]
    notes = [*(f"compared all the same: {obstacle}" for obstacle in obstacles), *_settings(base, other)]
    if len(shared) < max(base.questions, other.questions) or base.k != other.k:
        notes.append(
            f"the table is of the {len(shared)} questions and the first {samples} samples that both have; counts, "
            "bounds and costs are of the whole runs"
        )
    differences = _differences(first, second, base.benchmark)
    if math.isnan(differences["Avg"].interval.low):
        notes.append("Avg@K has no interval: its difference is the same on every question")
    return Comparison(
        base=base,
        other=other,
        question_ids=tuple(shared["question_id"]),
        base_classes=first,
        other_classes=second,
        differences=differences,
        power=power(metrics.accuracies(first), metrics.accuracies(second), samples),
        notes=tuple(notes),
    )


def adjust(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Holm's adjustment of each metric's p-values over comparisons that are read together."""
    adjusted = {metric: inference.holm([c.differences[metric].p for c in comparisons]) for metric in METRICS}
    return [
        dataclasses.replace(
            comparison,
            differences={
                metric: dataclasses.replace(difference, p_holm=adjusted[metric][index])
                for metric, difference in comparison.differences.items()
            },
        )
        for index, comparison in enumerate(comparisons)
    ]


def _name(summary: Summary) -> str:
    return f"{summary.benchmark} {summary.model} {summary.method} (K = {summary.k})"


def _obstacles(base: Summary, other: Summary, shared: int) -> list[str]:
    """Why two runs should not be compared as they are."""
    obstacles = []
    if not shared == base.questions == other.questions or base.questions_hash != other.questions_hash:
        obstacles.append(f"other questions ({base.questions} and {other.questions}, {shared} of them the same)")
    if base.k != other.k:
        obstacles.append(f"another K ({base.k} and {other.k})")
    if base.grading_version != other.grading_version:
        obstacles.append(
            f"another grading version ({base.grading_version} and {other.grading_version}; "
            "python -m evaluators.rescore brings a run up to date)"
        )
    return obstacles


def _settings(base: Summary, other: Summary) -> list[str]:
    """Settings that a comparison of methods would hold fixed."""
    notes = []
    if base.method != "base" and other.method == "base":
        notes.append(
            f"the first run is {base.method} and the second base: a gain of {base.method} has a minus sign here"
        )
    if base.model != other.model:
        notes.append(f"the models differ: {base.model} and {other.model}")
    if base.sampling != other.sampling:
        notes.append(f"the sampling differs: {base.sampling} and {other.sampling}")
    return notes


def _cons(classes: IntArray) -> FloatArray:
    return np.asarray(metrics.vote_credits(inference.vote_counts(classes)[:, :-1]))


def _differences(base: IntArray, other: IntArray, benchmark: str) -> dict[Metric, Difference]:
    resampled = inference.bootstrap_differences(base, other, inference.generator(benchmark, "bootstrap"))
    accuracy = metrics.accuracies(base), metrics.accuracies(other)
    values: dict[Metric, tuple[FloatArray, FloatArray]] = {
        "Avg": accuracy,
        "Cons": (_cons(base), _cons(other)),
        "Pass": ((accuracy[0] > 0).astype(float), (accuracy[1] > 0).astype(float)),
    }
    intervals: dict[Metric, Interval] = {
        "Avg": inference.t_interval(accuracy[1] - accuracy[0]),
        "Cons": resampled.cons,
        "Pass": resampled.passed,
    }
    return {
        metric: _difference(first, second, intervals[metric], _p_value(first, second, base.shape[1], benchmark, metric))
        for metric, (first, second) in values.items()
    }


def _difference(base: FloatArray, other: FloatArray, interval: Interval, p: float) -> Difference:
    low, high = (100 * end for end in interval)
    return Difference(
        base=100 * float(base.mean()), other=100 * float(other.mean()), interval=Interval(low, high), p=p, p_holm=p
    )


def _p_value(base: FloatArray, other: FloatArray, samples: int, benchmark: str, metric: Metric) -> float:
    if samples == 1:
        return inference.mcnemar_p(base, other)
    if len(base) < 2:
        return math.nan
    return inference.sign_flip_p(other - base, inference.generator(benchmark, "sign flips", metric))

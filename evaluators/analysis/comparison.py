"""Two runs on the same questions: differences with their intervals and p-values, and what they could have found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evaluators.analysis import inference, metrics
from evaluators.analysis.inference import Interval
from evaluators.analysis.metrics import FloatArray, IntArray
from evaluators.analysis.paired import paired_estimate
from evaluators.analysis.power import Power, power
from evaluators.analysis.sequential import Decision
from evaluators.analysis.summary_rows import Summary, classes_of
from srgen.errors import SRGenError

if TYPE_CHECKING:
    import pandas as pd

Metric = Literal["Avg", "Cons", "Pass"]
METRICS: tuple[Metric, ...] = ("Avg", "Cons", "Pass")
Flip = Literal["gained", "lost", "unchanged"]
Basis = Literal["equal-tokens", "equal-samples"]


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


@dataclass(frozen=True, slots=True)
class Side:
    """One run at the common cost."""

    samples: int
    """k, of the run's samples of a question."""
    tokens_per_sample: float
    """Generated tokens, on average over the questions compared."""
    classes: IntArray
    """Outcomes of all its samples [Q, K]."""

    @property
    def tokens(self) -> float:
        """Generated tokens a question, at k samples."""
        return self.samples * self.tokens_per_sample


@dataclass(frozen=True, slots=True)
class EqualCost:
    """Two runs at the same cost, with what they differ in there."""

    basis: Basis
    base: Side
    other: Side
    differences: dict[Metric, Difference]


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
    decision: Decision | None = None
    """Where a sequential comparison stopped, or stands; None for one at a K that was fixed beforehand."""
    at: EqualCost | None = None
    """The runs at equal cost, where that was asked for."""

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


def compare(
    base: Summary, other: Summary, *, common: bool = False, any_k: bool = False, beside: Sequence[str] = ()
) -> Comparison:
    """Compare two runs by question; `beside` are notes on what differs between their configurations.

    Raises SRGenError with the reason where they differ in questions, K or grading version, unless `common`: then the
    questions and samples that both have are compared, and the notes say so. With `any_k` another K is no obstacle.
    """
    shared = shared_questions(base, other)
    obstacles = _obstacles(base, other, len(shared), any_k=any_k)
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
    return Comparison(
        base=base,
        other=other,
        question_ids=tuple(shared["question_id"]),
        base_classes=first,
        other_classes=second,
        differences=_differences(first, second),
        power=power(metrics.accuracies(first), metrics.accuracies(second), samples),
        notes=(*notes, *beside),
    )


def shared_questions(base: Summary, other: Summary) -> pd.DataFrame:
    """The rows of both runs' tables for the questions that both asked in the same words, `_base` and `_other`."""
    return base.by_question.merge(other.by_question, on=["question_id", "question_hash"], suffixes=("_base", "_other"))


def adjust(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Holm's adjustment of each metric's p-values over comparisons that are read together."""
    adjusted = holm_adjusted([comparison.differences for comparison in comparisons])
    return [dataclasses.replace(c, differences=found) for c, found in zip(comparisons, adjusted, strict=True)]


def holm_adjusted(found: Sequence[Mapping[Metric, Difference]]) -> list[dict[Metric, Difference]]:
    """The same differences with each metric's p-values adjusted over all of them."""
    p = {metric: inference.holm([of[metric].p for of in found]) for metric in (found[0] if found else ())}
    return [
        {metric: dataclasses.replace(difference, p_holm=p[metric][row]) for metric, difference in of.items()}
        for row, of in enumerate(found)
    ]


def _name(summary: Summary) -> str:
    return f"{summary.benchmark} {summary.model} {summary.method} (K = {summary.k})"


def _obstacles(base: Summary, other: Summary, shared: int, *, any_k: bool) -> list[str]:
    """Why two runs should not be compared as they are."""
    obstacles = []
    if not shared == base.questions == other.questions or base.questions_hash != other.questions_hash:
        obstacles.append(f"other questions ({base.questions} and {other.questions}, {shared} of them the same)")
    if base.k != other.k and not any_k:
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
    silent = [which for which, run in (("first", base), ("second", other)) if not run.sampling]
    if silent:
        notes.append(f"the sampling of the {' and the '.join(silent)} run is not known")
    elif base.sampling != other.sampling:
        notes.append(f"the sampling differs: {base.sampling} and {other.sampling}")
    return notes


def _cons(classes: IntArray) -> FloatArray:
    return np.asarray(metrics.vote_credits(metrics.vote_counts(classes)[:, :-1]))


def question_values(classes: IntArray) -> dict[Metric, FloatArray]:
    """Avg@K, Cons@K and Pass@K of every question [Q] from its outcomes [Q, K]."""
    accuracy = metrics.accuracies(classes)
    return {"Avg": accuracy, "Cons": _cons(classes), "Pass": (accuracy > 0).astype(np.float64)}


def _differences(base: IntArray, other: IntArray) -> dict[Metric, Difference]:
    first, second = question_values(base), question_values(other)
    return {metric: difference_of(first[metric], second[metric]) for metric in METRICS}


def difference_of(base: FloatArray, other: FloatArray) -> Difference:
    """The difference between two runs' values of every question [Q], in [0, 1]."""
    (low, high), p = paired_estimate(other - base)
    return Difference(
        base=100 * float(base.mean()),
        other=100 * float(other.mean()),
        interval=Interval(100 * low, 100 * high),
        p=p,
        p_holm=p,
    )

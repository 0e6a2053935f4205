"""Every chooser and stopping rule on one run: their rates for summary.csv, and their curves as choosers.csv.

What a rule needs and a run lacks leaves its column empty: certainties need `--record_signals`, and endpoints do
not give all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluators.analysis import choosers, metrics, stopping, weighted_votes
from evaluators.analysis.choosers import Curve
from evaluators.analysis.metrics import SILENT, BoolArray, FloatArray, IntArray
from evaluators.analysis.weighted_votes import Weights
from evaluators.records.schema import Sample
from evaluators.records.signals import Signals, confidences, windows

if TYPE_CHECKING:
    from pandas import DataFrame

ONLINE = "deepconf_online"


@dataclass(frozen=True, slots=True)
class Choice:
    """A rule on a run: means over the questions at each k, the last of which is K."""

    name: str
    k: tuple[int, ...]
    rate: tuple[float, ...]
    """Expected credit, percent; NaN where the run lacks what the rule needs."""
    tokens: tuple[float, ...]
    """Generated tokens of a question."""


VOTES: dict[str, tuple[str, Callable[[FloatArray], FloatArray], Weights]] = {
    "borda": ("all_log_p", np.negative, weighted_votes.borda),
    "entropy_weighted": ("log_p", np.exp, weighted_votes.by_score),
    "deepconf_tail_10": ("tail", np.positive, weighted_votes.by_best(0.1)),
    "deepconf_tail_90": ("tail", np.positive, weighted_votes.by_best(0.9)),
    "deepconf_low_10": ("low", np.positive, weighted_votes.by_best(0.1)),
    "deepconf_low_90": ("low", np.positive, weighted_votes.by_best(0.9)),
    "deepconf_lowest_90": ("lowest", np.positive, weighted_votes.by_best(0.9)),
}
"""Weighted votes by name: the certainty that they need of a sample, the score that they make of it, and the weights."""
SHORT = (1, 3)
"""m of short-m@k."""
NAMES = (
    "self_certainty",
    *VOTES,
    *(f"short_{m}" for m in SHORT),
    "esc",
    "adaptive_consistency",
    f"{ONLINE}_10",
    f"{ONLINE}_90",
)
"""The rules, in the order of their columns."""


def choices(table: Sequence[Sequence[Sample | None]], classes: IntArray, signals: Signals | None) -> list[Choice]:
    """All rules on the samples of a run [Q, K], None for a missing one, and their outcomes [Q, K]."""
    tokens = np.array([[0 if sample is None else sample.generated_tokens for sample in row] for row in table])
    found = {name: _choice(name, curve) for name, curve in _by_certainty(table, classes, tokens)}
    lengths = np.where(_present(table), tokens, tokens.max(axis=1, keepdims=True))
    for m in SHORT:
        found[f"short_{m}"] = _choice(f"short_{m}", choosers.short_curve(classes, lengths, m))
    stopped = {
        "esc": stopping.esc(classes, tokens),
        "adaptive_consistency": stopping.adaptive_consistency(classes, tokens),
        **_online(table, classes, tokens, signals),
    }
    for name, end in stopped.items():
        found[name] = _choice(name, Curve((classes.shape[1],), end.credit[:, None], end.tokens[:, None]))
    nothing = (float("nan"),)
    return [found.get(name, Choice(name, (classes.shape[1],), nothing, nothing)) for name in NAMES]


def columns(found: Iterable[Choice]) -> dict[str, float]:
    """The last columns of summary.csv: each rule's rate at K, and for one that stops early its tokens a question."""
    values = {}
    for choice in found:
        values[f"{choice.name}@k"] = choice.rate[-1]
        if choice.name.startswith(("short", "esc", "adaptive", ONLINE)):
            values[f"{choice.name}_tokens"] = choice.tokens[-1]
    return values


def curves_table(found: Sequence[Choice], classes: IntArray, tokens_per_question: float) -> DataFrame:
    """choosers.csv: chooser, k, rate (percent) and generated tokens a question; the majority and one sample first."""
    import pandas as pd

    count = classes.shape[1]
    ks = range(1, count + 1)
    majority = 100 * metrics.cons_curve(classes).mean(axis=0)
    rows = [("average", 1, 100 * float(metrics.accuracies(classes).mean()), tokens_per_question / count)]
    rows += [
        ("majority", k, float(rate), tokens_per_question * k / count) for k, rate in zip(ks, majority, strict=True)
    ]
    for choice in found:
        rows += [(choice.name, *point) for point in zip(choice.k, choice.rate, choice.tokens, strict=True)]
    return pd.DataFrame([row for row in rows if not math.isnan(row[2])], columns=["chooser", "k", "rate", "tokens"])


def _present(table: Sequence[Sequence[Sample | None]]) -> BoolArray:
    return np.array([[sample is not None and sample.status != "failed" for sample in row] for row in table])


def _by_certainty(
    table: Sequence[Sequence[Sample | None]], classes: IntArray, tokens: IntArray
) -> Iterable[tuple[str, Curve]]:
    """The rules that look at certainties, as far as every sample with an answer has the certainty that a rule needs."""
    scores = {name: _values(table, classes, name) for name in ("all_log_p", "log_p", "tail", "low", "lowest")}
    ks = tuple(range(1, classes.shape[1] + 1))
    spent = tokens.mean(axis=1)[:, None] * np.array(ks)
    certainty = scores["all_log_p"]
    if certainty is not None:
        yield "self_certainty", Curve(ks, choosers.best_curve(classes, -certainty), spent)
    sizes = weighted_votes.sizes(classes.shape[1])
    for name, (needed, score_of, weights) in VOTES.items():
        values = scores[needed]
        if values is not None:
            credit = weighted_votes.weighted_curve(classes, score_of(values), weights)
            yield name, Curve(tuple(sizes), credit, spent[:, [k - 1 for k in sizes]])


def _values(table: Sequence[Sequence[Sample | None]], classes: IntArray, name: str) -> FloatArray | None:
    """One of the samples' certainties [Q, K]; None where a sample with an answer lacks it."""
    rows = [[(sample.confidence or {}).get(name) if sample else None for sample in row] for row in table]
    values = np.array(rows, dtype=float)  # NaN for None
    lacking = np.isnan(values)
    return None if (lacking & (classes != SILENT)).any() else np.where(lacking, 0.0, values)


def _online(
    table: Sequence[Sequence[Sample | None]], classes: IntArray, tokens: IntArray, signals: Signals | None
) -> dict[str, stopping.Stopped]:
    """DeepConf online, where every sample with an answer has its confidences on disk."""
    if signals is None:
        return {}
    traces: list[list[FloatArray]] = []
    for row, groups in zip(table, classes, strict=True):
        traces.append([])
        for sample, group in zip(row, groups, strict=True):
            rows = None if sample is None else signals.of(sample)
            trace = np.zeros(0) if rows is None else windows(confidences(rows))
            if group != SILENT and not len(trace):
                return {}
            traces[-1].append(trace)
    return {
        f"{ONLINE}_{round(100 * share)}": stopping.deepconf_online(classes, tokens, traces, share=share)
        for share in (0.1, 0.9)
    }


def _choice(name: str, curve: Curve) -> Choice:
    rate = 100 * curve.credit.mean(axis=0)
    return Choice(name, curve.k, tuple(map(float, rate)), tuple(map(float, curve.tokens.mean(axis=0))))


def signals_of(directory: Path, table: Sequence[Sequence[Sample | None]]) -> Signals | None:
    """The run's signals; None where no sample has any."""
    has = any(sample is not None and sample.signals is not None for row in table for sample in row)
    return Signals(directory) if has else None

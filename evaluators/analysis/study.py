"""The table of a study: every run beside the base run of its model and benchmark, one family of comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.analysis.comparison import METRICS, Comparison, Metric, adjust, compare
from evaluators.analysis.configurations import configuration_notes
from evaluators.analysis.summary_rows import Summary
from srgen.errors import SRGenError


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRow:
    """One run of a study, by the names that the study gives to its parts."""

    model: str
    benchmark: str
    method: str
    samples: int
    """K, per question."""
    variant: str = ""
    """What the study sets for all methods of the row alike; its base shares it."""
    summary: Summary | None = None
    """None where the run is not complete."""
    comparison: Comparison | None = None
    """With the base run of the same model and benchmark; None for the base itself, or where there is none."""
    published: tuple[float | None, ...] = ()
    """Avg@K, Cons@K, Pass@K of others, in percent."""
    remark: str = ""
    """Why something is lacking."""
    directory: Path | None = None
    """The run's folder, whose configuration is held against the base's; None where it is not known."""

    @property
    def group(self) -> tuple[str, str, str]:
        """What a row shares with its base."""
        return self.model, self.benchmark, self.variant

    def rate(self, metric: Metric) -> tuple[float, float, float] | None:
        """The run's rate with the ends of its interval, in percent."""
        if self.summary is None:
            return None
        name = "pass_" if metric == "Pass" else metric.lower()
        short = metric.lower()
        return (
            getattr(self.summary, name),
            getattr(self.summary, f"{short}_low"),
            getattr(self.summary, f"{short}_high"),
        )

    def published_rate(self, metric: Metric) -> float | None:
        """The published rate; None where there is none."""
        return self.published[METRICS.index(metric)] if self.published else None

    def outside(self, metric: Metric) -> bool:
        """Whether the published rate lies outside the interval of ours."""
        published, ours = self.published_rate(metric), self.rate(metric)
        # Ours are compared as they are printed: a published 23.3 is not outside an interval that ends at 23.33.
        return published is not None and ours is not None and not round(ours[1], 1) <= published <= round(ours[2], 1)


def compare_rows(rows: Sequence[StudyRow]) -> list[StudyRow]:
    """The rows with their comparisons; p-values are adjusted over all of them.

    The base of a model and a benchmark is its first run of the method `base`, or else its first run.
    """
    bases = _bases(rows)
    compared = [_compared(row, bases.get(row.group)) for row in rows]
    adjusted = iter(adjust([row.comparison for row in compared if row.comparison]))
    return [dataclasses.replace(row, comparison=next(adjusted)) if row.comparison else row for row in compared]


def _bases(rows: Sequence[StudyRow]) -> dict[tuple[str, str, str], StudyRow]:
    bases: dict[tuple[str, str, str], StudyRow] = {}
    for row in rows:
        before = bases.setdefault(row.group, row)
        if row.summary and row.summary.method == "base" and not (before.summary and before.summary.method == "base"):
            bases[row.group] = row
    return bases


def _compared(row: StudyRow, base: StudyRow | None) -> StudyRow:
    if base is None or base is row or row.summary is None:
        return row
    if base.summary is None:
        return dataclasses.replace(row, remark=f"not compared: {base.method} is not complete")
    try:
        beside = configuration_notes(base.directory, row.directory) if base.directory and row.directory else []
        return dataclasses.replace(row, comparison=compare(base.summary, row.summary, beside=beside))
    except SRGenError as error:
        return dataclasses.replace(row, remark=f"not compared: {error}")

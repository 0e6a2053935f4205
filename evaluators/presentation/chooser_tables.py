"""What every way to choose among samples gives for several runs: at all of their samples, and at equal tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evaluators.analysis.equal_tokens import common_budget, rates_within
from evaluators.analysis.summary_rows import Summary
from evaluators.presentation.run_table import number

if TYPE_CHECKING:
    from pandas import DataFrame


LACKING = "-: the run did not record what the chooser needs (docs/methods.md)"
"""What a dash means."""


def chooser_tables(runs: Sequence[Summary]) -> str:
    """Both tables for each model and benchmark among the runs; empty where no run knows its choosers."""
    groups: dict[tuple[str, str], list[Summary]] = {}
    for run in runs:
        groups.setdefault((run.model, run.benchmark), []).append(run)
    texts = []
    for (model, benchmark), members in groups.items():
        found = [text for text in (_at_all_samples(members), _at_equal_tokens(members)) if text]
        title = [f"{model}, {benchmark}"] if len(groups) > 1 and found else []
        texts += ["\n".join(title + found[:1]), *found[1:]] if found else []
    return "\n\n".join(texts)


def _at_all_samples(runs: Sequence[Summary]) -> str:
    """Rates at K and generated tokens a question; a run that lacks what a chooser needs has a dash."""
    known = dict.fromkeys(name for run in runs for name in run.choices if name.endswith("@k"))
    shown = [name for name in known if any(not math.isnan(run.choices.get(name, math.nan)) for run in runs)]
    if not shown:
        return ""
    rows = [["chooser", *_heads(runs)], ["majority", *(_chosen(run.cons, _tokens(run)) for run in runs)]]
    for name in shown:
        spent = f"{name.removesuffix('@k')}_tokens"
        cells = (_chosen(run.choices.get(name, math.nan), run.choices.get(spent, _tokens(run))) for run in runs)
        rows.append([name.removesuffix("@k"), *cells])
    return _aligned(rows) + (f"\n{LACKING}" if any("-" in row for row in rows) else "")


def _at_equal_tokens(runs: Sequence[Summary]) -> str:
    """Rates where every run may generate as many tokens for a question as the one that generated fewest."""
    curves = _curves(runs)
    budget = common_budget(curves)
    if len(curves) < len(runs) or len(runs) < 2 or not budget:
        return ""
    found = [rates_within(table, budget) for table in curves]
    names = dict.fromkeys(name for table in curves for name in table["chooser"])
    rows = [["chooser", *_heads(runs)]]
    rows += [[name, *(number(rates.get(name, math.nan)) for rates in found)] for name in names]
    return f"at {budget:,.0f} generated tokens a question, for every run:\n{_aligned(rows)}"


def _curves(runs: Sequence[Summary]) -> list[DataFrame]:
    return [run.curves for run in runs if run.curves is not None]


def _heads(runs: Sequence[Summary]) -> list[str]:
    return [f"{run.method} K={run.k}" for run in runs]


def _tokens(run: Summary) -> float:
    return run.tokens / run.questions


def _chosen(rate: float, tokens: float) -> str:
    return "-" if math.isnan(rate) else f"{number(rate)} ({tokens:,.0f} tokens)"


def _aligned(rows: Sequence[Iterable[str]]) -> str:
    """A table for a terminal, a line under its head."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    head, *lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
    return "\n".join([head, "-" * len(head), *lines])

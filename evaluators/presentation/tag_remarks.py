"""What responses in tags show of two compared runs; nothing for runs without them."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.analysis.comparison import Comparison, Difference, difference_of, shared_questions
from evaluators.analysis.summary_rows import TAG_COLUMNS
from evaluators.presentation.run_table import limit, number, p_value, signed, tag_lines

SHARES = {"well_formed": "well-formed responses", "refined": "responses with a refine"}
"""Columns whose shares two runs are compared in, and their names."""

SIDES = ("base", "other")


def tag_differences(comparison: Comparison) -> dict[str, Difference]:
    """Differences of the shares that both runs have, question by question; empty unless both are in tags."""
    if not (comparison.base.tags and comparison.other.tags):
        return {}
    rows = shared_questions(comparison.base, comparison.other)
    rows = rows[rows["question_id"].isin(comparison.question_ids)]
    return {
        name: difference_of(*((rows[f"{name}_{side}"] / rows[f"samples_{side}"]).to_numpy() for side in SIDES))
        for name in SHARES
    }


def tag_difference_lines(comparison: Comparison, names: Sequence[str]) -> list[str]:
    """The differences of two runs' shares, in sentences; empty unless both are in tags."""
    return [
        f"{SHARES[name]}: {names[0]} {number(found.base)} %, {names[1]} {number(found.other)} % "
        f"({signed(found.delta)} [{limit(found.interval.low)}, {limit(found.interval.high)}], p {p_value(found.p)})"
        for name, found in tag_differences(comparison).items()
    ]


def tag_remarks(comparison: Comparison, names: Sequence[str]) -> list[str]:
    """What the tags of two compared runs show; empty where neither has any."""
    shares = tag_difference_lines(comparison, names)
    lines = list(shares)
    for name, summary in zip(names, (comparison.base, comparison.other), strict=True):
        own = tag_lines(summary)
        lines += [f"{name}: {line}" for line in (own[1:] if shares else own)]
    return lines


def tag_record(comparison: Comparison) -> dict[str, str | float]:
    """Columns of comparison.csv; none where neither run has tags."""
    row: dict[str, str | float] = {}
    for side, summary in zip(SIDES, (comparison.base, comparison.other), strict=True):
        row |= {f"{side}_{name}": summary.tags[name] for name in TAG_COLUMNS if name in summary.tags}
    for name, found in tag_differences(comparison).items():
        ends = {"difference": found.delta, "low": found.interval.low, "high": found.interval.high, "p": found.p}
        row |= {f"{name}_{end}": value for end, value in ends.items()}
    return row

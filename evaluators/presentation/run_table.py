"""Text for people: the table printed at the end of a run, and the words that tables share."""

from __future__ import annotations

import math

import numpy as np

from evaluators.analysis.summary_rows import COUNTS, TAG_PARTS, Summary
from evaluators.presentation.wording import fitted

LEVEL_OF_TESTS = 0.05
_COUNT_WORDS = {
    "unanswered": "without an answer",
    "truncated": "cut off at the token budget",
    "timed_out": "stopped in grading",
    "failed": "failed",
    "missing": "missing",
}


def final_table(summary: Summary) -> str:
    """The printed table of one run: the metrics with their intervals, what is missing, and the cost."""
    remarks = [
        f"standard error of Avg@{summary.k}: {number(summary.se_new_questions, 2)} points over new questions of "
        f"the same kind, {number(summary.se_same_questions, 2)} over new samples of the same questions",
        counts_line(summary),
        f"cost: {summary.tokens:,} tokens ({number(summary.tokens_per_sample)} a sample), "
        f"{number(summary.reflections_per_sample, 2)} reflections a sample, {number(summary.wall_seconds)} s "
        f"({number(summary.samples_per_hour, 0)} samples an hour)",
        *tag_lines(summary),
    ]
    title = (
        f"{summary.benchmark} | {summary.model} | {summary.method} | "
        f"{summary.questions} questions x {summary.k} samples = {summary.samples}"
    )
    lines = [
        fitted(title, indent=""),
        "",
        f"  {'':10}{'%':>6}   {'95 % interval':<16}{'upper bound' if incomplete(summary) else ''}".rstrip(),
        *_metric_lines(summary),
        "",
        *map(fitted, remarks),
    ]
    return "\n".join(lines)


def incomplete(summary: Summary) -> bool:
    """Whether any sample is missing, failed, cut off or without an answer or a verdict."""
    return any(getattr(summary, name) for name in COUNTS)


def counts_line(summary: Summary) -> str:
    """What is missing, if anything, and that it counts as wrong."""
    if not incomplete(summary):
        return f"all {summary.samples} samples answered"
    return (
        f"of {summary.samples} samples: {open_counts(summary)}; all {summary.samples} stay in the denominator, and "
        "one that is not right counts as wrong"
    )


def open_counts(summary: Summary) -> str:
    """How many samples are missing, failed, cut off or without an answer or a verdict."""
    return ", ".join(f"{getattr(summary, name)} {_COUNT_WORDS[name]}" for name in COUNTS if getattr(summary, name))


def bounds_line(summary: Summary) -> str:
    """How high the metrics could be if every open sample had been right."""
    k = summary.k
    return (
        f"at most Avg@{k} {number(summary.avg_upper_bound)}, Cons@{k} {number(summary.cons_upper_bound)}, "
        f"Pass@{k} {number(summary.pass_upper_bound)} had all of those been right"
    )


def tag_lines(summary: Summary) -> list[str]:
    """What a run's tags show, in sentences; empty without tags."""
    tags = summary.tags
    if not tags:
        return []
    tokens = [f"{number(tags[f'{part}_tokens_per_sample'])} in {part}" for part in TAG_PARTS]
    lines = [
        f"tags: {number(tags['well_formed'])} % of the responses are well-formed, {number(tags['refined'])} % refine, "
        f"{number(tags['refines_per_sample'], 2)} refines a sample",
        f"tokens a sample: {', '.join(tokens)} (refine is part of think)",
    ]
    if any(math.isnan(tags[f"{part}_tokens_per_sample"]) for part in TAG_PARTS):
        lines[1] = "tokens in the tags are not known: the engine does not tell its tokens"
    return [*lines, _refine_line(summary)] if tags["refined"] else lines


def _refine_line(summary: Summary) -> str:
    """Accuracy with and without a refine, within the questions that have both."""
    tags = summary.tags
    if not tags["refine_questions"]:
        return "whether refining helps cannot be told: no question has samples with and samples without a refine"
    return (
        f"right with a refine {number(tags['avg_with_refine'])} %, without {number(tags['avg_without_refine'])} % "
        f"({signed(tags['refine_difference'])} [{limit(tags['refine_difference_low'])}, "
        f"{limit(tags['refine_difference_high'])}], p {p_value(tags['refine_p'])}) on the "
        f"{number(tags['refine_questions'], 0)} questions with samples of both kinds; the model chose when to refine"
    )


def number(value: float, digits: int = 1) -> str:
    """A number for people; `-` where it is undefined."""
    if math.isnan(value):
        return "-"
    return "infinite" if math.isinf(value) else f"{value:,.{digits}f}"


def signed(value: float) -> str:
    """A difference in points, with its sign."""
    return "-" if math.isnan(value) else f"{value:+.1f}"


def limit(value: float) -> str:
    """An end of a difference's interval, with its sign: never rounded to the 0 that it lies above or below."""
    return "-" if math.isnan(value) else _on_its_side(value, 0.0, 1, "+")


def p_value(p: float) -> str:
    """A p-value with three decimals; with more where those would put it on the other side of 0.05."""
    if math.isnan(p):
        return "-"
    return "< 0.001" if p < 0.001 else _on_its_side(p, LEVEL_OF_TESTS, 3)


def plain_limit(value: float) -> str:
    """`limit` for a CSV."""
    return "" if math.isnan(value) else _on_its_side(value, 0.0, 1)


def plain_p(p: float) -> str:
    """A p-value for a CSV: four decimals, more where needed to stay on its side of 0.05."""
    return "" if math.isnan(p) else _on_its_side(p, LEVEL_OF_TESTS, 4)


def _on_its_side(value: float, edge: float, digits: int, sign: str = "") -> str:
    """A number with as many decimals as keep it above, at or below `edge`."""
    for decimals in range(digits, 12):
        text = f"{value:{sign}.{decimals}f}"
        if np.sign(float(text) - edge) == np.sign(value - edge):
            return text
    return f"{value:{sign}.1e}"


def _metric_lines(summary: Summary) -> list[str]:
    rates = [
        ("Avg", summary.avg, summary.avg_low, summary.avg_high, summary.avg_upper_bound),
        ("Cons", summary.cons, summary.cons_low, summary.cons_high, summary.cons_upper_bound),
        ("Pass", summary.pass_, summary.pass_low, summary.pass_high, summary.pass_upper_bound),
    ]
    return [
        f"  {f'{name}@{summary.k}':10}{number(rate):>6}   {f'[{number(low)}, {number(high)}]':<16}"
        f"{number(bound) if incomplete(summary) else ''}".rstrip()
        for name, rate, low, high, bound in rates
    ]

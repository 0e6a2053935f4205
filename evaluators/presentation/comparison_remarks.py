"""What must be read beside a comparison's numbers, in sentences: what could be found, what is missing, what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluators.analysis.comparison import Comparison, Difference, EqualCost
from evaluators.analysis.summary_rows import Summary
from evaluators.presentation.run_table import bounds_line, incomplete, limit, number, open_counts, p_value, signed
from evaluators.presentation.tag_remarks import tag_difference_lines, tag_remarks

GUIDE_SAMPLES = (1, 5, 16, 64)
"""Values of K for which the smallest detectable difference is stated."""
COUNTED_WRONG = "what is missing, cut off or without an answer stays in the denominator and counts as wrong"
"""Said once, however many runs it is true of."""
GUIDE = "as a rule, 30 questions show about 22 points at K = 1, 10 at 5, 5.5 at 16 and 2.8 at 64"


def remarks(comparison: Comparison) -> list[str]:
    """What must be read beside the numbers: what could be found, what is missing, what it cost."""
    lines = _of_difference(comparison)
    unsettled = [(name, summary) for name, summary in _sides(comparison) if incomplete(summary)]
    lines += [f"{name}: {open_counts(summary)}; {bounds_line(summary)}" for name, summary in unsettled]
    lines += [COUNTED_WRONG] if unsettled else []
    lines += [f"{name} cost {_cost_line(summary)}" for name, summary in _sides(comparison)]
    lines += tag_remarks(comparison, side_names([comparison]))
    return [*lines, *comparison.notes]


def difference_remarks(comparison: Comparison) -> list[str]:
    """Those of the remarks that are about the difference, not about one of the runs."""
    of_tags = tag_difference_lines(comparison, side_names([comparison]))
    return [*_of_difference(comparison), *of_tags, *comparison.notes]


def _of_difference(comparison: Comparison) -> list[str]:
    lines = [] if comparison.decision else [_detectable_line(comparison), _settle_line(comparison)]
    return [_equal_cost_line(comparison.at, side_names([comparison])), *lines] if comparison.at else lines


def side_names(comparisons: Sequence[Comparison]) -> tuple[str, str]:
    """What the two sides are called in tables and plots."""
    if all((c.base.method, c.other.method) == ("base", "srgen") for c in comparisons):
        return "base", "SRGen"
    return "first", "second"


def _sides(comparison: Comparison) -> list[tuple[str, Summary]]:
    return list(zip(side_names([comparison]), (comparison.base, comparison.other), strict=True))


def interval(difference: Difference) -> str:
    """Both ends in brackets; a dash where there is none."""
    if math.isnan(difference.interval.low):
        return "-"
    return f"[{limit(difference.interval.low)}, {limit(difference.interval.high)}]"


def _detectable_line(comparison: Comparison) -> str:
    power = comparison.power
    if math.isnan(power.detectable()):
        return f"these runs do not tell which differences {power.questions} questions would show: none varies; {GUIDE}"
    here = f"{number(100 * power.detectable())} points of Avg@{comparison.samples}"
    guide = [f"{number(100 * power.detectable(k))} at K = {k}" for k in GUIDE_SAMPLES if k != comparison.samples]
    elsewhere = GUIDE if comparison.samples == 1 else f"with the same questions {', '.join(guide)}; {GUIDE}"
    return (
        f"smallest difference that {power.questions} questions at K = {power.samples} find 4 times in 5: {here} "
        f"({elsewhere})"
    )


def _settle_line(comparison: Comparison) -> str:
    delta = comparison.differences["Avg"].delta
    needed = comparison.power.samples_needed(delta / 100)
    questions = comparison.power.questions_needed(delta / 100)
    seen = f"the difference seen, {signed(delta)} points,"
    if delta == 0:
        return "no difference was seen, so no K would settle it"
    if math.isnan(questions):
        return f"{seen} cannot be judged from these runs"
    if math.isinf(needed):
        return (
            f"{seen} needs more questions, whatever K: about {number(questions, 0)} of the same kind at "
            f"K = {comparison.samples}"
        )
    if math.isnan(needed):
        return (
            f"{seen} needs about {number(questions, 0)} questions at K = 1; with one sample a question nobody can tell "
            "which K would do"
        )
    return f"{seen} would need K = {number(needed, 0)} on these questions to be found 4 times in 5"


def _equal_cost_line(at: EqualCost, names: tuple[str, str]) -> str:
    spent = " and ".join(dict.fromkeys(f"{side.tokens:,.0f}" for side in (at.base, at.other)))
    said = [
        f"{metric}@{at.base.samples} {names[0]} {number(found.base)}, {metric}@{at.other.samples} {names[1]} "
        f"{number(found.other)} ({signed(found.delta)}) {interval(found)} p {p_value(found.p)}"
        + ("" if found.p_holm == found.p or math.isnan(found.p) else f" (Holm {p_value(found.p_holm)})")
        for metric, found in at.differences.items()
    ]
    return f"at {at.basis.replace('-', ' ')} ({spent} generated a question): {'; '.join(said)}"


def _cost_line(summary: Summary) -> str:
    return (
        f"{summary.tokens:,} tokens, {number(summary.wall_seconds)} wall seconds, "
        f"{number(summary.reflections_per_sample, 2)} reflections a sample, "
        f"{_significant(summary.accuracy_per_million_tokens)} points of accuracy per million tokens"
    )


def _significant(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"

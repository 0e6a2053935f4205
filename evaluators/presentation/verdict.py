"""What a comparison says, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluators.analysis.comparison import Comparison, question_values
from evaluators.analysis.paired import equivalence_p
from evaluators.analysis.power import FEWEST
from evaluators.analysis.sequential import Decision
from evaluators.presentation.run_table import LEVEL_OF_TESTS, number, p_value


def verdict(comparison: Comparison, *, many: bool, equivalence: float | None = None) -> str:
    """Better, worse, or not settled and what would settle it, of Avg@K.

    With `many` comparisons read together Holm's p-value decides. `equivalence`, in points, adds whether the runs are
    the same within so much.
    """
    said = _difference(comparison, many=many)
    return said if equivalence is None else f"{said}; {_equivalence(comparison, equivalence)}"


def verdicts(comparisons: Sequence[Comparison], *, equivalence: float | None = None) -> list[str]:
    """The line under the table for every comparison; where there are several, it begins with which it is."""
    many = len(comparisons) > 1
    said = [verdict(comparison, many=many, equivalence=equivalence) for comparison in comparisons]
    if not many:
        return said
    names = [f"{c.model}, {c.base.benchmark}, {c.other.method}" for c in comparisons]
    return [f"{name}: {text}" for name, text in zip(names, said, strict=True)]


def _difference(comparison: Comparison, *, many: bool) -> str:
    difference = comparison.differences["Avg"]
    p = difference.p_holm if many else difference.p
    if p <= LEVEL_OF_TESTS:
        better = _is(comparison, "better" if difference.delta > 0 else "worse")
        return f"{better} on these questions ({_p(p)}{', by Holm' if many else ''})"
    if comparison.decision:
        return _unsettled(comparison, comparison.decision)
    return f"not settled: {_what_it_takes(comparison)}"


def _unsettled(comparison: Comparison, decision: Decision) -> str:
    if decision.outcome == "futile":
        most = f"by less than {number(100 * decision.interval.high)} points"
        return f"{_is(comparison, f'better {most}')}, if at all, on these questions"
    return f"not settled after {decision.rounds} rounds: more samples may settle it, and every look is allowed"


def _is(comparison: Comparison, word: str) -> str:
    base, other = comparison.base.method, comparison.other.method
    if (base, other) == ("base", "srgen"):
        return f"SRGen is {word}"
    return f"{other} is {word} than {base}" if base != other else f"the second run is {word} than the first"


def _what_it_takes(comparison: Comparison) -> str:
    delta, power = comparison.differences["Avg"].delta / 100, comparison.power
    if power.questions < FEWEST:
        return f"fewer than {FEWEST} questions never settle a comparison, whatever K"
    if math.isnan(power.detectable()):
        seen = "no sample differs" if delta == 0 else "every question differs by as much"
        return f"{seen}, which does not tell what it would take"
    if delta == 0:
        return f"the runs are even; a difference below {number(100 * power.detectable())} points could go unseen here"
    needed, questions = power.samples_needed(delta), power.questions_needed(delta)
    if needed <= power.samples or questions <= power.questions:
        return "a difference of this size is found 4 times in 5 by such runs, but was not by these"
    if math.isfinite(needed):
        return f"a difference of this size needs about K = {needed:.0f} here"
    return f"a difference of this size needs about {questions:,.0f} questions of the same kind at K = {power.samples}"


def _equivalence(comparison: Comparison, margin: float) -> str:
    values = [question_values(side)["Avg"] for side in (comparison.base_classes, comparison.other_classes)]
    p = equivalence_p(values[1] - values[0], margin / 100)
    found = "the same" if p <= LEVEL_OF_TESTS else "not shown to be the same"
    return f"{found} within {margin:g} points ({_p(p)}, two one-sided tests)"


def _p(p: float) -> str:
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"

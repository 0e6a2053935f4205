"""Comparisons as the paper prints them: text, Markdown, LaTeX and CSV."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evaluators.analysis.comparison import METRICS, Comparison, Difference, EqualCost
from evaluators.analysis.summary_rows import to_csv
from evaluators.presentation.comparison_remarks import interval, remarks, side_names
from evaluators.presentation.run_table import (
    number,
    p_value,
    plain_limit,
    plain_p,
    signed,
)
from evaluators.presentation.tag_remarks import tag_record
from evaluators.presentation.verdict import verdict

DIGITS = {
    "k_needed": 0,
    "questions_needed": 0,
    **{f"{side}_refine_questions": 0 for side in ("base", "other")},
    **{f"{side}_refine_p": 4 for side in ("base", "other")},
    **{f"{name}_p": 4 for name in ("well_formed", "refined")},
    **{f"{side}_refines_per_sample": 2 for side in ("base", "other")},
    **{f"{side}_reflections_per_sample": 2 for side in ("base", "other")},
    **{f"{side}_accuracy_per_million_tokens": 3 for side in ("base", "other")},
}
"""Decimals of comparison.csv's columns, where it is not one."""


def text_table(comparisons: Sequence[Comparison]) -> str:
    """The table for a terminal: a line per metric under each pair, with the difference's interval and p-value."""
    names = side_names(comparisons)
    many = len(comparisons) > 1
    rows = [("", f"{names[0]}, {names[1]} (difference)", "95 % interval and p-value")]
    for comparison in comparisons:
        method = f", {comparison.other.method}" if many else ""
        rows.append((f"{comparison.model}, {comparison.base.benchmark}{method}", "", ""))
        for metric in METRICS:
            difference = comparison.differences[metric]
            outcome = f"{interval(difference)} {_p(difference, many=many)}"
            rows.append((f"  {metric}@{comparison.samples}", _rates(difference), outcome))
    first = max(len(name) for name, rates, _ in rows if rates)
    second = max(len(rates) for _, rates, _ in rows)
    lines = [
        f"{name:{first}}  {rates:{second}}  {outcome}".rstrip() if rates else name for name, rates, outcome in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def markdown_table(comparisons: Sequence[Comparison], *, equivalence: float | None = None) -> str:
    """The same table in Markdown, one row per pair, with the verdict and what must be read beside it below."""
    many = len(comparisons) > 1
    head = headings(comparisons)
    rows = [head, ["---"] * len(head), *(cells(comparison, many=many) for comparison in comparisons)]
    table = "\n".join("| " + " | ".join(_markdown(cell) for cell in row) + " |" for row in rows)
    below = [f"\n{_bullets(c, verdict(c, many=many, equivalence=equivalence))}" for c in comparisons]
    return "\n".join([table, *below]) + "\n"


def latex_table(comparisons: Sequence[Comparison]) -> str:
    """The same table for LaTeX; needs the package booktabs."""
    names = side_names(comparisons)
    groups = " & ".join(rf"\multicolumn{{4}}{{c}}{{{metric}}}" for metric in _metrics(comparisons))
    rules = " ".join(rf"\cmidrule(lr){{{3 + 4 * i}-{6 + 4 * i}}}" for i in range(len(METRICS)))
    head = " & ".join([rf"{names[0]} & {names[1]} & 95\,\% interval & $p$"] * len(METRICS))
    rows = [
        " & ".join(_latex(cell) for cell in cells(comparison, many=len(comparisons) > 1)) for comparison in comparisons
    ]
    return "\n".join(
        [
            r"\begin{tabular}{ll" + "rrrr" * len(METRICS) + "}",
            r"\toprule",
            rf" &  & {groups} \\",
            rules,
            rf"Model & Benchmark & {head} \\",
            r"\midrule",
            *(rf"{row} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def headings(comparisons: Sequence[Comparison]) -> list[str]:
    """Column names of the table with one row per pair."""
    names = side_names(comparisons)
    head = ["Model", "Benchmark"]
    for metric in _metrics(comparisons):
        head += [f"{metric} {names[0]}", f"{metric} {names[1]}", "95 % interval", "p"]
    return head


def cells(comparison: Comparison, *, many: bool) -> list[str]:
    """The row of a pair; with `many` pairs, p-values carry Holm's adjustment."""
    row = [comparison.model, comparison.base.benchmark]
    for metric in METRICS:
        difference = comparison.differences[metric]
        row += [
            number(difference.base),
            f"{number(difference.other)} ({signed(difference.delta)})",
            interval(difference),
            _p(difference, many=many).removeprefix("p "),
        ]
    return row


def csv_table(comparisons: Sequence[Comparison], *, equivalence: float | None = None) -> str:
    """Everything that the comparison found, one row per pair."""
    import pandas as pd  # slow to import

    many = len(comparisons) > 1
    rows = [{**_record(c), "verdict": verdict(c, many=many, equivalence=equivalence)} for c in comparisons]
    rows = [row | tag_record(c) for row, c in zip(rows, comparisons, strict=True)]
    rows = [row | (_equal_cost_record(c.at) if c.at else {}) for row, c in zip(rows, comparisons, strict=True)]
    return to_csv(pd.DataFrame(rows), DIGITS)


def _metrics(comparisons: Sequence[Comparison]) -> list[str]:
    """Avg@8, ...; the letter K where the pairs differ in it."""
    ks = {comparison.samples for comparison in comparisons}
    return [f"{metric}@{next(iter(ks)) if len(ks) == 1 else 'K'}" for metric in METRICS]


def _rates(difference: Difference) -> str:
    return f"{number(difference.base)}  {number(difference.other)} ({signed(difference.delta)})"


def _p(difference: Difference, *, many: bool) -> str:
    holm = f" (Holm {p_value(difference.p_holm)})" if many else ""
    return f"p {p_value(difference.p)}{holm}"


def _bullets(comparison: Comparison, said: str) -> str:
    title = f"**{comparison.model}, {comparison.base.benchmark}**"
    return "\n".join([title, "", f"- {said}", *(f"- {line}" for line in remarks(comparison))])


def _markdown(cell: str) -> str:
    """The cell without a meaning in Markdown or HTML, on one line; intervals keep their brackets."""
    text = re.sub(r"([\\`*_|]|\[(?![+-]))", r"\\\1", " ".join(cell.split()))
    return re.sub(r"<(?! )|&(?=[#\w])", lambda found: {"<": "&lt;", "&": "&amp;"}[found[0]], text)


_IN_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "^": r"\^{}",
    "~": r"\~{}",
    "<": "$<$",
    ">": "$>$",
}


def _latex(cell: str) -> str:
    """The cell as LaTeX prints it, on one line."""
    return "".join(_IN_LATEX.get(character, character) for character in " ".join(cell.split()))


def _equal_cost_record(at: EqualCost) -> dict[str, str | float]:
    row: dict[str, str | float] = {"at": at.basis}
    for name, side in (("base", at.base), ("other", at.other)):
        row |= {f"at_{name}_k": side.samples, f"at_{name}_tokens_per_question": side.tokens}
    for metric, found in at.differences.items():
        row |= _difference_record(f"at_{metric.lower()}", found)
    return row


def _difference_record(name: str, difference: Difference) -> dict[str, str | float]:
    return {
        f"{name}_base": difference.base,
        f"{name}_other": difference.other,
        f"{name}_difference": difference.delta,
        f"{name}_low": plain_limit(difference.interval.low),
        f"{name}_high": plain_limit(difference.interval.high),
        f"{name}_p": plain_p(difference.p),
        f"{name}_p_holm": plain_p(difference.p_holm),
    }


def _record(comparison: Comparison) -> dict[str, str | float]:
    """The row of the CSV."""
    row: dict[str, str | float] = {
        "model": comparison.model,
        "benchmark": comparison.base.benchmark,
        "base_method": comparison.base.method,
        "other_method": comparison.other.method,
        "questions": comparison.power.questions,
        "k": comparison.samples,
    }
    for metric in METRICS:
        row |= _difference_record(f"{metric.lower()}@k", comparison.differences[metric])
    delta = comparison.differences["Avg"].delta / 100
    row |= {
        "detectable_difference": 100 * comparison.power.detectable(),
        "k_needed": comparison.power.samples_needed(delta),
        "questions_needed": comparison.power.questions_needed(delta),
    }
    for side, summary in (("base", comparison.base), ("other", comparison.other)):
        row |= {
            f"{side}_tokens": summary.tokens,
            f"{side}_wall_seconds": summary.wall_seconds,
            f"{side}_reflections_per_sample": summary.reflections_per_sample,
            f"{side}_accuracy_per_million_tokens": summary.accuracy_per_million_tokens,
            f"{side}_answered": summary.answered,
            f"{side}_missing": summary.missing,
            f"{side}_failed": summary.failed,
            f"{side}_avg@k_upper_bound": summary.avg_upper_bound,
        }
    return row | {"notes": "; ".join(comparison.notes)}

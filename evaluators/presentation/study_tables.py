"""A study's table as the paper prints it, with intervals and p-values: text, Markdown, LaTeX, CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from evaluators.analysis.comparison import METRICS, Metric
from evaluators.analysis.study import StudyRow
from evaluators.presentation.run_table import number, p_value, signed
from evaluators.presentation.verdict import verdict
from evaluators.presentation.wording import fitted, together

OUTSIDE = "*"
LEGEND = f"{OUTSIDE} published number outside the 95 % interval of ours"
PAPER = "published"


def text_table(rows: Sequence[StudyRow]) -> str:
    """For a terminal: under each model and benchmark its runs, with intervals, p-values and what was published."""
    lines = [["", *_metrics(rows)]]
    group = ""
    for row in rows:
        if group != (group := f"{row.model}, {row.benchmark}"):
            lines.append([group])
        lines.append([f"  {row.method}", *(_rate(row, metric) for metric in METRICS)])
        if row.summary:
            lines.append(["", *(_interval(row, metric) for metric in METRICS)])
        if row.comparison:
            lines.append(["", *(f"p {_p(row, metric)}" for metric in METRICS)])
        if row.published:
            lines.append([f"    {PAPER}", *(_published(row, rows, metric) for metric in METRICS)])
    cells = [line for line in lines if len(line) > 1]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    printed = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    below = [fitted(line, "") for line in _below(rows)]
    return "\n".join([printed[0], "-" * max(map(len, printed)), *printed[1:], *below])


def markdown_table(rows: Sequence[StudyRow]) -> str:
    """The same in Markdown, a row per run."""
    head = ["Model", "Benchmark", "Method", *_wide_head(rows)]
    table = [head, ["---"] * len(head), *(_wide(row, rows) for row in rows)]
    text = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in table)
    return text + "\n" + "".join(f"\n{line}\n" for line in _below(rows))


def latex_table(rows: Sequence[StudyRow]) -> str:
    """The same for LaTeX; needs the package booktabs."""
    head = ["Model", "Benchmark", "Method", *_wide_head(rows)]
    body: list[str] = []
    for index, row in enumerate(rows):
        if index and row.model != rows[index - 1].model:
            body.append(r"\midrule")
        body.append(" & ".join(_latex(cell) for cell in _wide(row, rows)) + r" \\")
    lines = [
        r"\begin{tabular}{lll" + "r" * (len(head) - 3) + "}",
        r"\toprule",
        " & ".join(_latex(cell) for cell in head) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines + [f"% {line}" for line in _below(rows)]) + "\n"


def csv_table(rows: Sequence[StudyRow]) -> str:
    """Everything in the table, one row per run; empty where there is no number."""
    records = study_records(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in record.items()} for record in records)
    return text.getvalue()


def study_records(rows: Sequence[StudyRow]) -> list[dict[str, Any]]:
    """The rows as plain values for a CSV or a DataFrame; rates in percent, differences in points, NaN for no number."""
    many = _many(rows)
    return [_record(row, many=many) for row in rows]


def _record(row: StudyRow, *, many: bool) -> dict[str, Any]:
    summary = row.summary
    record: dict[str, Any] = {
        "model": row.model,
        "benchmark": row.benchmark,
        "method": row.method,
        "questions": summary.questions if summary else math.nan,
        "k": row.samples,
    }
    for metric in METRICS:
        name = f"{metric.lower()}@k"
        rate, low, high = row.rate(metric) or (math.nan,) * 3
        record |= {name: rate, f"{name}_low": low, f"{name}_high": high}
        difference = row.comparison.differences[metric] if row.comparison else None
        record |= {
            f"{name}_difference": difference.delta if difference else math.nan,
            f"{name}_difference_low": difference.interval.low if difference else math.nan,
            f"{name}_difference_high": difference.interval.high if difference else math.nan,
            f"{name}_p": difference.p if difference else math.nan,
            f"{name}_p_holm": difference.p_holm if difference else math.nan,
        }
        published = row.published_rate(metric)
        record |= {
            f"{name}_published": math.nan if published is None else published,
            f"{name}_published_outside": row.outside(metric),
        }
    return record | {
        "tokens_per_sample": summary.tokens_per_sample if summary else math.nan,
        "reflections_per_sample": summary.reflections_per_sample if summary else math.nan,
        "verdict": verdict(row.comparison, many=many) if row.comparison else "",
        "remark": row.remark,
    }


def _metrics(rows: Sequence[StudyRow]) -> list[str]:
    ks = {row.samples for row in rows}
    return [f"{metric}@{next(iter(ks)) if len(ks) == 1 else 'K'}" for metric in METRICS]


def _wide_head(rows: Sequence[StudyRow]) -> list[str]:
    columns = ["95 % interval", "p (Holm)", *([PAPER] if any(row.published for row in rows) else [])]
    return [heading for metric in _metrics(rows) for heading in (metric, *columns)]


def _wide(row: StudyRow, rows: Sequence[StudyRow]) -> list[str]:
    cells = [row.model, row.benchmark, row.method]
    for metric in METRICS:
        cells += [_rate(row, metric), _interval(row, metric), _p(row, metric)]
        if any(other.published for other in rows):
            cells.append(_published(row, rows, metric))
    return cells


def _rate(row: StudyRow, metric: Metric) -> str:
    """The rate, with the difference to the base."""
    ours = row.rate(metric)
    if ours is None:
        return "-"
    if row.comparison:
        difference = row.comparison.differences[metric]
        return f"{number(difference.other)} ({signed(difference.delta)})"
    return number(ours[0])


def _interval(row: StudyRow, metric: Metric) -> str:
    """Of the difference; of the rate itself where there is none."""
    if row.comparison:
        interval = row.comparison.differences[metric].interval
        return f"[{signed(interval.low)}, {signed(interval.high)}]"
    ours = row.rate(metric)
    return f"[{number(ours[1])}, {number(ours[2])}]" if ours else "-"


def _p(row: StudyRow, metric: Metric) -> str:
    if row.comparison is None:
        return "-"
    difference = row.comparison.differences[metric]
    return f"{p_value(difference.p)} ({p_value(difference.p_holm)})"


def _published(row: StudyRow, rows: Sequence[StudyRow], metric: Metric) -> str:
    """The published rate, with its difference to the published base."""
    rate = row.published_rate(metric)
    if rate is None:
        return "-"
    beside = [r for r in rows if r.group == row.group and r.published]
    base = beside[0].published_rate(metric)
    difference = f" ({signed(rate - base)})" if beside[0] is not row and base is not None else ""
    return f"{number(rate)}{difference}{OUTSIDE if row.outside(metric) else ''}"


def _many(rows: Sequence[StudyRow]) -> bool:
    """Whether several comparisons are read together."""
    return sum(row.comparison is not None for row in rows) > 1


def _below(rows: Sequence[StudyRow]) -> list[str]:
    """The legend, the verdict on every comparison, and what must be read beside them, each remark once."""
    lines = []
    if any(row.comparison for row in rows):
        lines.append("[...] 95 % interval (of the difference to the base run, in points); p (Holm's adjustment of it)")
    if any(row.outside(metric) for row in rows for metric in METRICS):
        lines.append(LEGEND)
    said: dict[str, list[str]] = {}
    for row in rows:
        if row.comparison:
            said.setdefault(verdict(row.comparison, many=_many(rows)), []).append(_name(row))
    for row in rows:
        for remark in [*(row.comparison.notes if row.comparison else ()), *filter(None, [row.remark])]:
            said.setdefault(remark, []).append(_name(row))
    return lines + [f"{together(names)}: {text}" for text, names in said.items()]


def _name(row: StudyRow) -> str:
    return f"{row.model}/{row.benchmark}/{row.method}"


def _latex(cell: str) -> str:
    escaped = "".join(f"\\{c}" if c in "&%$#_{}" else c for c in cell.replace("\\", "/"))
    return escaped.replace("< ", "$<$ ").replace("^", r"\^{}").replace("~", r"\~{}")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}" if abs(value) < 1 else f"{value:.1f}"
    return value

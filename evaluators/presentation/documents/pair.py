"""Two runs compared: the verdict, the table's cells, what must be read beside it, and the curves against tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluators.analysis.comparison import METRICS, Comparison, Difference
from evaluators.analysis.paired import paired_estimate
from evaluators.analysis.pairing import Pair, bases
from evaluators.analysis.summary_rows import Summary
from evaluators.presentation.comparison_remarks import COUNTED_WRONG, difference_remarks
from evaluators.presentation.documents.collection import Collection
from evaluators.presentation.documents.verdict import rate_sentence, so_far_sentence, verdict_sentence
from evaluators.presentation.run_table import incomplete, limit, p_value


def pair_documents(collection: Collection) -> list[dict[str, Any]]:
    """A document for every run that has a base, or for a run that is alone.

    A run without a summary is compared on what both have so far.
    """
    if len(collection.runs) == 1:
        return [_alone_document(collection)]
    found = collection.pairs
    many = sum(pair.comparison is not None for pair in found.values()) > 1
    return [
        _document(collection, base, other, found[base, other], many=many)
        if (base, other) in found
        else _so_far(collection, base, other)
        for base, other in bases([run.run for run in collection.runs])
    ]


def _alone_document(collection: Collection) -> dict[str, Any]:
    """What a single run says of itself."""
    summary = collection.summaries[0]
    return {
        "base": 0,
        "other": None,
        "sentence": rate_sentence(summary) if summary else "",
        "curves": {0: _curve(summary)},
        "flips": {},
        "metrics": [],
        "remarks": _counted_wrong(summary) if summary else [],
    }


def _counted_wrong(*summaries: Summary) -> list[str]:
    """Said once, however many runs it is true of."""
    if not any(incomplete(summary) for summary in summaries):
        return []
    return [COUNTED_WRONG]


def _document(collection: Collection, base: int, other: int, pair: Pair, *, many: bool) -> dict[str, Any]:
    document: dict[str, Any] = {"base": base, "other": other}
    comparison = pair.comparison
    if comparison is None:
        return document | {"refusal": pair.refusal}
    names = collection.names[base], collection.names[other]
    # A question is found by its number in the base run: ids alone may belong to another benchmark.
    rows = {str(key): number for number, key in enumerate(comparison.base.by_question["question_id"])}
    flips = {rows[key]: flip for key, flip in zip(comparison.question_ids, comparison.flips, strict=True)}
    return document | {
        "sentence": verdict_sentence(comparison, names, many=many),
        "metrics": [_metric(metric, comparison, comparison.differences[metric], many=many) for metric in METRICS],
        "remarks": [*difference_remarks(comparison), *_counted_wrong(comparison.base, comparison.other)],
        "flips": {
            entry.key: flips[entry.numbers[base]]
            for entry in collection.entries
            if other in entry.numbers and entry.numbers.get(base) in flips
        },
        "curves": {base: _curve(comparison.base), other: _curve(comparison.other)},
    }


def _metric(name: str, comparison: Comparison, difference: Difference, *, many: bool) -> dict[str, Any]:
    return {
        "name": f"{name}@{comparison.samples}",
        "base": difference.base,
        "other": difference.other,
        "delta": difference.delta,
        "low": difference.interval.low,
        "high": difference.interval.high,
        "interval": _between(*difference.interval),
        "p": p_value(difference.p),
        "p_holm": p_value(difference.p_holm) if many else None,
    }


def _between(low: float, high: float) -> str:
    """An interval in words, with a minus that is as wide as a plus."""
    return f"{limit(low)} to {limit(high)}".replace("-", "\N{MINUS SIGN}")


def _so_far(collection: Collection, base: int, other: int) -> dict[str, Any]:
    """Avg of the questions of which both runs have samples: what can be said before both are complete."""
    shared = [entry for entry in collection.entries if base in entry.numbers and other in entry.numbers]
    both = []
    for entry in shared:
        letters = [collection.runs[run].journal.letters(entry.numbers[run]) for run in (base, other)]
        sizes = [len(text) - text.count("m") for text in letters]
        if all(sizes):
            both.append([text.count("c") / size for text, size in zip(letters, sizes, strict=True)])
    document: dict[str, Any] = {"base": base, "other": other, "so_far": True, "flips": {}, "curves": {}}
    if not both:
        return document | {
            "sentence": "The two runs have no answered question in common yet.",
            "metrics": [],
            "remarks": [],
        }
    values = np.array(both)
    (low, high), p = paired_estimate(values[:, 1] - values[:, 0])
    first, second = 100 * values.mean(axis=0)
    names = collection.names[base], collection.names[other]
    metric = {
        "name": "Avg so far",
        "base": first,
        "other": second,
        "delta": second - first,
        "low": 100 * low,
        "high": 100 * high,
        "interval": _between(100 * low, 100 * high),
        "p": p_value(p),
        "p_holm": None,
    }
    remark = "an interval that is looked at again and again leaves 0 out more often than 1 time in 20"
    return document | {
        "sentence": so_far_sentence(len(both), len(shared), second - first, names),
        "metrics": [metric],
        "remarks": [remark],
    }


def _curve(summary: Summary | None) -> list[dict[str, Any]]:
    """Rates (percent) against generated tokens a question, by chooser."""
    if summary is None or summary.curves is None:
        return []
    return [
        {"chooser": str(row.chooser), "k": int(row.k), "rate": float(row.rate), "tokens": float(row.tokens)}
        for row in summary.curves.itertuples()
    ]

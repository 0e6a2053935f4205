"""What responses in tags add to a run's summary: their format, what they refine, and whether refining goes with right.

Columns of questions.csv and summary.csv that only runs with `--answer_format tags` have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evaluators.analysis.paired import paired_estimate
from evaluators.analysis.summary_rows import TAG_COLUMNS, TAG_PARTS
from evaluators.grading.answer.tags import parse
from evaluators.records.schema import Sample

if TYPE_CHECKING:
    from pandas import DataFrame


def question_counts(samples: Sequence[Sample | None]) -> dict[str, int]:
    """The counts of one question's samples, by the names of `TAG_COUNTS`; a missing sample counts nowhere."""
    found = [(sample, parse(sample.response, sample.before)) for sample in samples if sample is not None]
    return {
        "well_formed": sum(tagged.well_formed for _, tagged in found),
        "refined": sum(bool(tagged.refines) for _, tagged in found),
        "refined_correct": sum(bool(tagged.refines) and sample.correct for sample, tagged in found),
        "refines": sum(len(tagged.refines) for _, tagged in found),
    }


def summarised(by_question: DataFrame, samples: Sequence[Sample | None]) -> dict[str, float]:
    """The columns of summary.csv from the table of questions and all planned samples.

    Shares are of all planned samples, refines of those that are there, tokens of those whose tokens are known. With and
    without a refine: the mean over the questions that have samples of both kinds of the share of right ones among each
    kind, so that an easy question does not count as a merit of what it seldom needs; NaN where no question has both.
    """
    there = [sample for sample in samples if sample is not None]
    counted = [sample.tag_tokens for sample in there if sample.tag_tokens is not None]
    return {
        "well_formed": 100 * float(by_question["well_formed"].sum()) / len(samples),
        "refined": 100 * float(by_question["refined"].sum()) / len(samples),
        "refines_per_sample": _ratio(int(by_question["refines"].sum()), len(there)),
        **{f"{part}_tokens_per_sample": _ratio(sum(row[part] for row in counted), len(counted)) for part in TAG_PARTS},
        **_within_questions(by_question),
    }


def _within_questions(by_question: DataFrame) -> dict[str, float]:
    """Right samples with and without a refine, compared within the questions that have both."""
    plain_samples = by_question["samples"] - by_question["missing"] - by_question["failed"] - by_question["refined"]
    has_both = (by_question["refined"] > 0) & (plain_samples > 0)
    both, plain = by_question[has_both], plain_samples[has_both].to_numpy(float)
    if both.empty:
        return dict.fromkeys(TAG_COLUMNS[TAG_COLUMNS.index("refine_questions") :], math.nan) | {"refine_questions": 0.0}
    refined = both["refined"].to_numpy(float)
    with_refine = both["refined_correct"].to_numpy(float) / refined
    without = (both["correct"] - both["refined_correct"]).to_numpy(float) / plain
    (low, high), p = paired_estimate(np.asarray(with_refine - without))
    return {
        "refine_questions": float(len(both)),
        "avg_with_refine": 100 * float(with_refine.mean()),
        "avg_without_refine": 100 * float(without.mean()),
        "refine_difference": 100 * float((with_refine - without).mean()),
        "refine_difference_low": 100 * low,
        "refine_difference_high": 100 * high,
        "refine_p": p,
    }


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan

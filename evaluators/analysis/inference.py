"""Standard errors, intervals and tests for benchmarks of Q questions with K samples each.

Values are per question and lie in [0, 1]; the question is the unit of every estimate (Miller 2024, arXiv 2411.00640).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evaluators.analysis.metrics import FloatArray

LEVEL = 0.95


class Interval(NamedTuple):
    """A 95 % interval; NaN where it is undefined."""

    low: float
    high: float


def generator(*key: object) -> np.random.Generator:
    """A local random generator whose stream depends on `key` alone."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in key).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def se_new_questions(values: FloatArray) -> float:
    """Standard error of the mean over new questions of the same kind; NaN for a single question."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def se_same_questions(accuracy: FloatArray, samples: int) -> float:
    """Standard error of Avg@K over new samples of the same questions; NaN for one sample a question."""
    if samples < 2:
        return math.nan
    return float(np.sqrt((accuracy * (1 - accuracy) / (samples - 1)).sum()) / len(accuracy))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment for several tests, in the order given; NaN, where nothing was tested, stays."""
    order = [index for index in np.argsort(p_values) if not math.isnan(p_values[index])]
    adjusted = np.full(len(p_values), math.nan)
    floor = 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = floor
    return [float(p) for p in adjusted]

"""What a comparison of two runs can find, and what it would take to find more."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from evaluators.analysis.metrics import FloatArray

FACTOR = float(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
"""2.80: a difference of so many standard errors is found at the 5 % level 4 times in 5."""
FEWEST = 6
"""Questions below which the sign-flip test never gets to 5 %: its p-value is at least 2 / 2^Q."""


@dataclass(frozen=True, slots=True)
class Power:
    """The variance of a difference between two runs, in its two parts."""

    questions: int
    samples: int
    between: float
    """w2, how much the questions' true differences vary; NaN for K = 1, where the parts cannot be told apart."""
    within: float
    """sA2 + sB2, the variance of one sample of each run; NaN for K = 1."""
    total: float
    """Variance of the questions' observed differences."""

    def detectable(self, samples: int | None = None) -> float:
        """Smallest difference found 4 times in 5 with so many samples a question (those of the runs by default).

        NaN where the runs do not tell: a single question, no difference between any two samples, or another K than 1
        after runs with K = 1.
        """
        if self.samples == 1:
            variance = self.total if samples in (None, 1) else math.nan
        else:
            variance = self.between + self.within / (samples or self.samples)
        return FACTOR * math.sqrt(variance / self.questions) if variance > 0 else math.nan

    def samples_needed(self, difference: float) -> float:
        """K at which `difference` would be found 4 times in 5; inf where only more questions help.

        NaN where `detectable` is, and for K = 1.
        """
        if self.samples == 1 or math.isnan(self.detectable()):
            return math.nan
        if difference == 0 or self.questions < FEWEST:
            return math.inf
        room = self.questions * (difference / FACTOR) ** 2 - self.between
        return max(1, math.ceil(self.within / room)) if room > 0 else math.inf

    def questions_needed(self, difference: float) -> float:
        """Questions of the same kind, at the runs' K, at which `difference` would be found 4 times in 5."""
        if math.isnan(self.detectable()):
            return math.nan
        if difference == 0:
            return math.inf
        return max(FEWEST, math.ceil(self.questions * (self.detectable() / difference) ** 2))


def power(base: FloatArray, other: FloatArray, samples: int) -> Power:
    """Split the variance of the questions' differences [Q]; rates from `samples` samples a question and run."""
    total = float((other - base).var(ddof=1)) if len(base) > 1 else math.nan
    if samples == 1:
        return Power(len(base), samples, math.nan, math.nan, total)
    # p (1 - p) of a rate estimated from K samples is too small by (K - 1) / K on average.
    within = float((base * (1 - base) + other * (1 - other)).mean()) * samples / (samples - 1)
    between = max(0.0, total - within / samples) if not math.isnan(total) else math.nan
    return Power(len(base), samples, between, within, total)

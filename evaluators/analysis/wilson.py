"""Wilson's interval, for what is shown while a run goes on; light enough for the program that runs it."""

from __future__ import annotations

import math

_Z = 1.959964
"""Of a 95 % interval."""


def wilson(rate: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a rate seen on n independent cases (Wilson 1927); NaN where there are none."""
    if not n:
        return math.nan, math.nan
    centre = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    return centre - half, centre + half

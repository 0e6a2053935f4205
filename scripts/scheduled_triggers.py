"""Triggers on a schedule, for benchmarks: an exact rate of reflections, whatever the model's entropies.

`scheduled(rate)` is the configuration; it needs `install()` once, in the process that generates.
"""

from __future__ import annotations

import itertools
import math

import srgen.method.processor
from srgen import SRGenConfig
from srgen.method.entropy import EntropyMonitor

PAPER_RATE = 6 / 700
"""Reflections a token, about, in the paper's runs."""
_samples = itertools.count()


class ScheduledMonitor(EntropyMonitor):
    """Triggers once in a period, `entropy_threshold` steps; samples one after another, not all at once.

    The adaptive threshold is computed as ever, so that it costs what it costs, but decides nothing.
    """

    def __init__(self, config: SRGenConfig) -> None:
        super().__init__(config)
        self._period = int(config.entropy_threshold)
        # Multiples of the golden ratio spread evenly over a period, however many samples there are.
        self._steps = int(self._period * (next(_samples) * 0.618034 % 1))

    def threshold(self) -> float:
        super().threshold()
        return -math.inf if self._steps % self._period == self._period - 1 else math.inf

    def observe(self, value: float) -> None:
        super().observe(value)
        self._steps += 1


def scheduled(rate: float) -> SRGenConfig:
    """`rate` reflections a token; 0 is monitoring only."""
    return SRGenConfig(entropy_threshold=round(1 / rate) if rate else 10**9, max_retries=10**6)


def install() -> None:
    """Let every sample that begins from now on trigger on its schedule."""
    srgen.method.processor.EntropyMonitor = ScheduledMonitor

"""The monitor: entropies of logits rows, and the threshold above which a step triggers (METHOD: monitor)."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.config import SRGenConfig


class Softmax(NamedTuple):
    """Distributions of some rows at a temperature: probabilities (..., V), entropies (...) in nats, float32."""

    probabilities: Tensor
    entropies: Tensor


def softmax(
    logits: Tensor, temperature: Tensor | float = 1.0, *, peaks: Tensor | None = None, out: Tensor | None = None
) -> Softmax:
    """softmax(logits / temperature), logits (..., V) with -inf allowed, temperature a number or (..., 1).

    `peaks` (..., n), if known, hold the largest logit of each row; `out`, if given, takes the probabilities.
    """
    logits = logits.float()
    below = logits - (logits if peaks is None else peaks).amax(dim=-1, keepdim=True)
    if isinstance(temperature, Tensor) or temperature != 1.0:
        below /= temperature
    probabilities = torch.softmax(below, dim=-1, out=out)
    # H = log sum e^z - sum p z, z relative to the largest; a forbidden token's 0 * -inf is left out. The total mends
    # what softmax lost in adding up: over a vocabulary, sums in pairs keep two digits more.
    total = probabilities.sum(dim=-1)
    expected = below.mul_(probabilities).nansum(dim=-1) / total
    return Softmax(probabilities, (total / probabilities.amax(dim=-1)).log() - expected)


def entropy(logits: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """The entropies of `softmax(logits, temperature)`."""
    return softmax(logits, temperature).entropies


class EntropyMonitor:
    """Entropy history of one sample and its threshold."""

    def __init__(self, config: SRGenConfig) -> None:
        self._config = config
        self._window: deque[float] = deque(maxlen=config.adaptive_entropy_N)

    def threshold(self) -> float:
        """The threshold for the next step, in nats; the window does not include that step."""
        config, window = self._config, self._window
        if not config.adaptive_entropy or len(window) < config.adaptive_entropy_N:
            return config.entropy_threshold
        mean = sum(window) / len(window)
        deviation = math.dist(window, [mean] * len(window)) / math.sqrt(len(window) - 1)
        return max(
            mean + config.adaptive_entropy_K * max(deviation, config.minimal_std),
            config.minimal_threshold,
        )

    def observe(self, value: float) -> None:
        """Append a step's entropy (before any reflection) to the history."""
        self._window.append(value)

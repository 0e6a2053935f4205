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


def softmax(logits: Tensor, temperature: Tensor | float = 1.0) -> Softmax:
    """softmax(logits / temperature), logits (..., V) with -inf allowed, temperature a number or (..., 1)."""
    scaled = logits.float()
    if isinstance(temperature, Tensor) or temperature != 1.0:
        scaled = scaled / temperature
    probabilities = torch.softmax(scaled, dim=-1)
    largest = scaled.amax(dim=-1)
    # H = -log p_max - sum p (z - z_max). The sum is taken in two, which saves a pass over the row; a forbidden token's
    # 0 * -inf is left out. Sums, not dot products: over a vocabulary, pairwise summation keeps two digits more.
    distance = (probabilities * scaled).nansum(dim=-1) - largest * probabilities.sum(dim=-1)
    return Softmax(probabilities, -probabilities.amax(dim=-1).log() - distance)


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
        deviation = math.sqrt(sum((value - mean) ** 2 for value in window) / (len(window) - 1))
        return max(
            mean + config.adaptive_entropy_K * max(deviation, config.minimal_std),
            config.minimal_threshold,
        )

    def observe(self, value: float) -> None:
        """Append a step's entropy (before any reflection) to the history."""
        self._window.append(value)

"""One reflection: AdamW on the correction vector with closed-form gradients (METHOD section 2 and 3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.config import SRGenConfig
from srgen.method.readout import Readout

CrossEntropy = Callable[[Tensor], tuple[Tensor, Tensor]]
"""shift (V,) -> mean cross entropy of a context under it, and its gradient by the shift (V,)."""


class Corrected(NamedTuple):
    """What reflecting on R rows gave; everything float32 on the readout's device."""

    logits: Tensor
    """(R, V), corrected."""
    delta: Tensor
    """(R, d)."""
    losses: Tensor
    """(R, times): the loss before each step."""


class AdamW:
    """AdamW on `parameter`, in place, with the method's constants (Loshchilov and Hutter 2019, algorithm 2).

    The same numbers as torch.optim.AdamW, whose bookkeeping takes as long as everything else between the products
    with W.
    """

    BETA1, BETA2, EPS, WEIGHT_DECAY = 0.9, 0.999, 1e-5, 1e-8

    def __init__(self, parameter: Tensor, lr: float) -> None:
        self._parameter, self._lr, self._steps = parameter, lr, 0
        self._mean, self._square = torch.zeros_like(parameter), torch.zeros_like(parameter)

    def step(self, gradient: Tensor) -> None:
        """One step down a gradient shaped like the parameter."""
        self._steps += 1
        self._mean.lerp_(gradient, 1.0 - self.BETA1)
        self._square.mul_(self.BETA2).addcmul_(gradient, gradient, value=1.0 - self.BETA2)
        # The bias of the squares is taken out of the quotient rather than of each of them.
        unbiased = math.sqrt(1.0 - self.BETA2**self._steps)
        scale = self._square.sqrt().add_(self.EPS * unbiased)
        self._parameter.mul_(1.0 - self._lr * self.WEIGHT_DECAY)
        self._parameter.addcdiv_(self._mean, scale, value=-self._lr * unbiased / (1.0 - self.BETA1**self._steps))


def entropy_and_gradient(logits: Tensor, temperature: Tensor, inner: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """H of softmax(logits / tau), (R,), and dH/dlogits, (R, V); logits (R, V) with -inf allowed, temperature (R, 1).

    Where a column stands for a class of tokens, `inner` (R, V) is the entropy within it, which H then includes.
    """
    log_probabilities = torch.log_softmax(logits / temperature, dim=-1)
    probabilities = log_probabilities.exp()
    # The floor keeps 0 * -inf out of the sum: a forbidden token has weight 0 and adds nothing.
    weighted = log_probabilities.clamp_min_(torch.finfo(logits.dtype).min / 4)
    weighted = (weighted if inner is None else weighted.sub_(inner)).mul_(probabilities)
    value = -weighted.sum(-1)
    return value, weighted.addcmul_(probabilities, value[:, None]).div_(-temperature)


def reflect(
    readout: Readout,
    contexts: Sequence[CrossEntropy],
    logits: Tensor,
    temperature: Tensor,
    config: SRGenConfig,
) -> Corrected:
    """Optimise one correction per triggered row, all rows together.

    contexts: R cross entropies; logits (R, V) float32, the rows that triggered; temperature (R,).
    W is read 2 * times times.
    """
    weight = config.entropy_weight
    delta = logits.new_zeros(logits.shape[0], readout.hidden)
    optimizer = AdamW(delta, config.lr)
    shift = torch.zeros_like(logits)
    losses = []
    for _ in range(config.times):
        moved, slope = readout.move(logits, shift)
        uncertainty, gradient = entropy_and_gradient(moved, temperature[:, None])
        if slope is not None:
            gradient *= slope
        gradient *= weight
        fidelity = []
        for row, cross_entropy in enumerate(contexts):
            value, by_shift = cross_entropy(shift[row])
            fidelity.append(value)
            gradient[row].add_(by_shift, alpha=1.0 - weight)
        losses.append((1.0 - weight) * torch.stack(fidelity) + weight * uncertainty)
        optimizer.step(readout.pull_back(gradient))
        shift = readout.shift(delta)
    return Corrected(readout.move(logits, shift)[0], delta, torch.stack(losses, dim=1))

"""A reflection that reads W once: the tokens that matter, their rows of W, and one token that stands for all others.

V vocabulary, d hidden size, R rows, k tokens of the largest support. The formulas are in docs/reflection.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.config import SRGenConfig
from srgen.method.products import BAGS, blocks_by_columns, blocks_by_rows
from srgen.method.readout import Readout
from srgen.method.reflection import AdamW, Corrected, entropy_and_gradient
from srgen.method.sketch import TINY, Sketch, slope_of

GRADIENT_FLOOR, PROBABILITY_FLOOR = 2e-6, 1e-6
"""A token belongs to the support where its part of the loss's gradient, without the labels' own, or its probability at
the step that triggered is larger; measured at times * lr = 0.03."""
FARTHEST = 0.03
"""times * lr up to which these floors serve; farther from zero they fall in proportion."""
LEAST_MASS = 1e-6
"""With less gradient outside the support, its direction is noise, and the mean of W's rows takes its place."""


@dataclass(frozen=True, slots=True)
class Supports:
    """The tokens that the reflections of R rows work on."""

    ids: Tensor
    """(R, k): ascending, then the row's first again where it has fewer."""
    inside: Tensor
    """(R, k): 1, and 0 where a token stands there again."""
    local: Tensor
    """(R, V): a token's place in `ids`, k for one outside."""
    rows: Tensor
    """(R, k + 1, d): their rows of W, times the head's scale. The last one stands for all other tokens: a mean of their
    rows, weighted by their gradient at delta = 0."""

    def shift(self, delta: Tensor) -> Tensor:
        """What corrections (R, d) add to the logits, before the cap: (R, k + 1)."""
        shift = blocks_by_columns(delta, self.rows)
        inside, outside = shift[:, :-1], shift[:, -1:]
        # A weighted mean of rows cannot reach farther than the rows do, unless its weights are noise.
        outside.clamp_(*inside.aminmax(dim=1, keepdim=True))
        return shift

    def pull_back(self, gradient: Tensor) -> Tensor:
        """The gradients by the corrections, (R, d), from those by the shifts (R, k + 1)."""
        return blocks_by_rows(gradient, self.rows)


@dataclass(frozen=True, slots=True)
class Steps:
    """The logits rows that triggered, over their supports."""

    logits: Tensor
    """(R, k + 1); the last is tau * log of the sum of e^(z / tau) outside. -inf where a token stands there again."""
    inner: Tensor
    """(R, k + 1): the entropy within a token's own class: 0, and that of the distribution outside."""
    slope: Tensor | None
    """(R, 1): the soft cap's slope outside, on average; None without a cap."""
    readout: Readout

    def entropy(self, shift: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        """H of the moved rows, (R,), and its gradients by the shifts, (R, k + 1); temperature (R, 1)."""
        moved, slope = self._moved(shift)
        value, gradient = entropy_and_gradient(moved, temperature, self.inner)
        return value, gradient if slope is None else gradient.mul_(slope)

    def _moved(self, shift: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.slope is None:
            return self.logits + shift, None
        moved, slope = self.readout.move(self.logits[:, :-1], shift[:, :-1])
        assert slope is not None
        outside = self.logits[:, -1:] + self.slope * shift[:, -1:]
        return torch.cat([moved, outside], 1), torch.cat([slope, self.slope], 1)


class Start(NamedTuple):
    """R rows that triggered, at delta = 0."""

    logits: Tensor
    """(R, V)."""
    temperature: Tensor
    """(R, 1)."""
    gradient: Tensor
    """(R, V): of the loss by the shift."""
    pulled: Tensor
    """(R, d): of the loss by the correction."""


def reflect_on_support(
    readout: Readout, contexts: Sequence[Sketch], logits: Tensor, temperature: Tensor, config: SRGenConfig
) -> Corrected:
    """`reflect` on one support per row: all rows read W together, once, at delta = 0.

    contexts: of R rows in all; the rows of one are taken together from then on. logits (R, V) float32, the rows that
    triggered; temperature (R,).
    """
    temperature = temperature[:, None]
    uncertainty, gradient = entropy_and_gradient(logits, temperature)
    if readout.cap is not None:
        gradient *= slope_of(logits, readout.cap)
    gradient *= config.entropy_weight
    parts, first = [], 0
    for context in contexts:
        parts.append(slice(first, first + context.samples))
        first = parts[-1].stop
    fidelities = []
    for part, context in zip(parts, contexts, strict=True):
        fidelity, by_shift = context.at_zero()
        fidelities.append(fidelity)
        gradient[part].add_(by_shift, alpha=1.0 - config.entropy_weight)
    first_losses = (
        torch.cat(fidelities).mul_(1.0 - config.entropy_weight).add_(uncertainty, alpha=config.entropy_weight)
    )
    pulled = readout.pull_back(gradient)
    found = [
        _reflect_rows(readout, context, Start(logits[part], temperature[part], gradient[part], pulled[part]), config)
        for part, context in zip(parts, contexts, strict=True)
    ]
    moved, deltas, losses = (
        column[0] if len(column) == 1 else torch.cat(column) for column in zip(*found, strict=True)
    )
    return Corrected(moved, deltas, torch.cat([first_losses[:, None], losses], dim=1))


def _reflect_rows(
    readout: Readout, context: Sketch, start: Start, config: SRGenConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Corrected logits (R, V), deltas (R, d) and the losses of all steps but the first, (R, times - 1)."""
    weight = config.entropy_weight
    logits, temperature, gradient, pulled = start
    probabilities = torch.softmax(logits / temperature, dim=1)
    supports = supports_of(readout, gradient, pulled, *chosen(gradient, probabilities, context, config))
    steps = _steps(readout, logits, probabilities, temperature, supports)
    context = context.over(supports.ids, supports.inside, supports.local)
    delta = torch.zeros_like(pulled)
    optimizer = AdamW(delta, config.lr)
    optimizer.step(pulled)
    losses = delta.new_zeros(len(delta), config.times - 1)
    for step in range(config.times - 1):
        shift = supports.shift(delta)
        uncertainty, by_shift = steps.entropy(shift, temperature)
        fidelity, by_fidelity = context.cross_entropy(shift)
        torch.lerp(fidelity, uncertainty, weight, out=losses[:, step])
        optimizer.step(supports.pull_back(by_fidelity.lerp_(by_shift, weight)))
    everywhere = supports.shift(delta).gather(1, supports.local)
    return readout.move(logits, everywhere)[0], delta, losses


def chosen(
    gradient: Tensor, probabilities: Tensor, context: Sketch, config: SRGenConfig
) -> tuple[Tensor, list[int] | None]:
    """The tokens that matter, (R, V): all labels, and what else moves the loss or may be sampled; how many, if known.

    gradient (R, V): of the loss by the shift; probabilities (R, V): of the steps that triggered; context: over V.
    """
    # Without the labels' own part, which cancels much of what a frequent label's probabilities give.
    labels_own = (1.0 - config.entropy_weight) * context.share[context.owners]
    score = gradient.flatten().index_add(0, context.labels, labels_own).abs_().view_as(gradient)
    labels = context.labels.long()
    if config.support_size:
        size = min(config.support_size, score.shape[1])
        score = torch.maximum(score, probabilities)
        score.view(-1).index_fill_(0, labels, torch.inf)
        wanted = torch.zeros_like(score, dtype=torch.bool).scatter_(1, score.topk(size).indices, True)
        return wanted, [size] * len(score)
    near = min(1.0, FARTHEST / (config.times * config.lr))
    wanted = (score > near * GRADIENT_FLOOR).logical_or_(probabilities > near * PROBABILITY_FLOOR)
    wanted.view(-1).index_fill_(0, labels, True)
    return wanted, None


def supports_of(
    readout: Readout, gradient: Tensor, pulled: Tensor, wanted: Tensor, sizes: list[int] | None = None
) -> Supports:
    """The supports of those tokens (R, V), from the gradients by the shift (R, V) and what W makes of them, (R, d).

    The host has to know how many tokens each row has, and waits for that where `sizes` are not given.
    """
    sizes = wanted.sum(1).tolist() if sizes is None else sizes
    # With the one for all others they fill whole bags.
    width, device = -(-(max(sizes) + 1) // BAGS) * BAGS, wanted.device
    owners, tokens = torch.nonzero_static(wanted, size=sum(sizes)).unbind(1)
    firsts = torch.tensor([0, *accumulate(sizes[:-1])], device=device)
    places = torch.arange(len(owners), device=device) - firsts[owners]
    ids = tokens[firsts][:, None].repeat(1, width)
    ids[owners, places] = tokens
    inside = torch.zeros_like(ids, dtype=gradient.dtype)
    inside[owners, places] = 1.0
    local = torch.full_like(wanted, width - 1, dtype=torch.int64)
    local[owners, tokens] = places
    rows = readout.rows(ids.flatten()).view(*ids.shape, -1)
    taken = gradient.gather(1, ids).mul_(inside)
    outside = (gradient.sum(1) - taken.sum(1))[:, None]
    # Where the mass outside is tiny, so is what it does: any bounded direction serves.
    outside = torch.where(outside.abs() > LEAST_MASS, outside, torch.inf)
    rows[:, -1] = (pulled - blocks_by_rows(taken, rows)) / outside
    ids, inside = ids[:, :-1], inside[:, :-1]
    return Supports(ids, inside, local, rows)


def _steps(readout: Readout, logits: Tensor, probabilities: Tensor, temperature: Tensor, supports: Supports) -> Steps:
    outside = probabilities.scatter(1, supports.ids, 0.0)
    mass = outside.sum(1, keepdim=True).clamp_min_(TINY)
    log_mass = mass.log()
    entropy = log_mass - torch.special.xlogy(outside, outside).sum(1, keepdim=True) / mass
    joint = (log_mass + logits.div(temperature).logsumexp(1, keepdim=True)) * temperature
    within = logits.gather(1, supports.ids).masked_fill_(supports.inside == 0, -torch.inf)
    slope = None if readout.cap is None else (outside * slope_of(logits, readout.cap)).sum(1, keepdim=True) / mass
    return Steps(torch.cat([within, joint], 1), torch.cat([torch.zeros_like(within), entropy], 1), slope, readout)

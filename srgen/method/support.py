"""A reflection that reads W once: the tokens that matter, their rows of W, and one token that stands for all others.

V vocabulary, d hidden size, k tokens of a support. The formulas are in docs/reflection.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.config import SRGenConfig
from srgen.method.products import block_by_column, block_by_row
from srgen.method.readout import Readout
from srgen.method.reflection import AdamW, Corrected, entropy_and_gradient
from srgen.method.sketch import TINY, Sketch, joined

GRADIENT_FLOOR, PROBABILITY_FLOOR = 2e-6, 1e-6
"""A token belongs to the support where its part of the loss's gradient, without the labels' own, or its probability at
the step that triggered is larger; measured at times * lr = 0.03."""
FARTHEST = 0.03
"""times * lr up to which these floors serve; farther from zero they fall in proportion."""
LEAST_MASS = 1e-6
"""With less gradient outside the support, its direction is noise, and the mean of W's rows takes its place."""


@dataclass(frozen=True, slots=True)
class Support:
    """The tokens that one reflection works on."""

    ids: Tensor
    """(k,)."""
    local: Tensor
    """(V,), int32: a token's place in `ids`, k for one outside."""
    rows: Tensor
    """(k, d): their rows of W, times the head's scale."""
    direction: Tensor
    """(d,): the row that stands for all other tokens, a mean of theirs weighted by their gradient at delta = 0."""

    def shift(self, delta: Tensor) -> Tensor:
        """What a correction (d,) adds to the logits, before the cap: (k + 1,)."""
        inside = block_by_column(delta, self.rows)
        # A weighted mean of rows cannot reach farther than the rows do, unless its weights are noise.
        outside = (self.direction @ delta).clamp(inside.min(), inside.max())
        return torch.cat([inside, outside[None]])

    def pull_back(self, gradient: Tensor) -> Tensor:
        """The gradient by the correction, (d,), from that by the shift (k + 1,)."""
        return block_by_row(gradient[:-1], self.rows).add_(gradient[-1] * self.direction)


@dataclass(frozen=True, slots=True)
class Step:
    """The logits row that triggered, over a support."""

    logits: Tensor
    """(1, k + 1); the last is tau * log of the sum of e^(z / tau) outside."""
    inner: Tensor
    """(1, k + 1): the entropy within a token's own class: 0, and that of the distribution outside."""
    slope: Tensor | None
    """(k + 1,) the soft cap's slope, averaged outside; None without a cap."""
    readout: Readout

    def entropy(self, shift: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
        """H of the moved row and its gradient by the shift, (k + 1,); temperature (1, 1)."""
        moved, slope = self._moved(shift)
        value, gradient = entropy_and_gradient(moved, temperature, self.inner)
        return value[0], gradient[0] if slope is None else gradient[0] * slope

    def _moved(self, shift: Tensor) -> tuple[Tensor, Tensor | None]:
        moved, slope = self.readout.move(self.logits[:, :-1], shift[:-1])
        if self.slope is None or slope is None:
            return torch.cat([moved, self.logits[:, -1:] + shift[-1]], 1), None
        outside = self.slope[-1:]
        return torch.cat([moved, self.logits[:, -1:] + outside * shift[-1]], 1), torch.cat([slope[0], outside])


class Start(NamedTuple):
    """A row that triggered, at delta = 0."""

    logits: Tensor
    """(V,)."""
    temperature: Tensor
    """()."""
    gradient: Tensor
    """(V,): of the loss by the shift."""
    pulled: Tensor
    """(d,): of the loss by the correction."""


def reflect_on_support(
    readout: Readout, contexts: Sequence[Sketch], logits: Tensor, temperature: Tensor, config: SRGenConfig
) -> Corrected:
    """`reflect` on one support per row: all rows read W together, once, at delta = 0.

    contexts: R sketches; logits (R, V) float32, the rows that triggered; temperature (R,).
    """
    zero = logits.new_zeros(logits.shape[1])
    uncertainty, gradient = entropy_and_gradient(logits, temperature[:, None])
    if readout.cap is not None:
        gradient *= _slope(readout, logits)
    gradient *= config.entropy_weight
    first_losses = config.entropy_weight * uncertainty
    for row, context in enumerate(contexts):
        fidelity, by_shift = context.cross_entropy(zero)
        gradient[row].add_(by_shift, alpha=1.0 - config.entropy_weight)
        first_losses[row] += (1.0 - config.entropy_weight) * fidelity
    pulled = readout.pull_back(gradient)
    starts = map(Start, logits, temperature, gradient, pulled)
    corrected = [_reflect_row(readout, context, start, config) for context, start in zip(contexts, starts, strict=True)]
    moved, deltas, losses = (torch.stack(column) for column in zip(*corrected, strict=True))
    return Corrected(moved, deltas, torch.cat([first_losses[:, None], losses], dim=1))


def _reflect_row(readout: Readout, context: Sketch, start: Start, config: SRGenConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Corrected logits (V,), delta (d,) and the losses of all steps but the first."""
    weight = config.entropy_weight
    logits, temperature, gradient, pulled = start
    probabilities = torch.softmax(logits / temperature, dim=0)
    labels = context.labels
    support = support_of(readout, gradient, pulled, chosen(gradient, probabilities, labels, config))
    step = _step(readout, logits, probabilities, temperature, support)
    context = context.over(support.ids, support.local)
    delta = torch.zeros_like(pulled)
    optimizer = AdamW(delta, config.lr)
    optimizer.step(pulled)
    losses = []
    for _ in range(config.times - 1):
        shift = support.shift(delta)
        uncertainty, by_shift = step.entropy(shift, temperature)
        fidelity, by_fidelity = context.cross_entropy(shift)
        losses.append((1.0 - weight) * fidelity + weight * uncertainty)
        optimizer.step(support.pull_back(by_shift.mul_(weight).add_(by_fidelity, alpha=1.0 - weight)))
    shift = support.shift(delta)
    everywhere = shift[-1].expand(len(logits)).clone()
    everywhere[support.ids] = shift[:-1]
    return readout.move(logits, everywhere)[0], delta, torch.stack(losses) if losses else delta.new_zeros(0)


def chosen(gradient: Tensor, probabilities: Tensor, labels: Tensor, config: SRGenConfig) -> Tensor:
    """Ids (k,), ascending, of the tokens that matter: all labels, and what else moves the loss or may be sampled.

    gradient (V,): of the loss by the shift; probabilities (V,): of the step that triggered.
    """
    # Without the labels' own part, which cancels much of what a frequent label's probabilities give.
    share = (1.0 - config.entropy_weight) / max(1, len(labels))
    score = gradient.index_add(0, labels, torch.full_like(labels, share, dtype=gradient.dtype)).abs_()
    if config.support_size:
        size = min(config.support_size, len(score))
        score = torch.maximum(score, probabilities).index_fill_(0, labels.long(), torch.inf)
        return score.topk(size).indices.sort().values
    near = min(1.0, FARTHEST / (config.times * config.lr))
    wanted = (score > near * GRADIENT_FLOOR).logical_or_(probabilities > near * PROBABILITY_FLOOR)
    return wanted.index_fill_(0, labels.long(), True).nonzero()[:, 0]


def support_of(readout: Readout, gradient: Tensor, pulled: Tensor, ids: Tensor) -> Support:
    """The support of those tokens (k,), from the gradient by the shift (V,) and what W makes of it, (d,)."""
    local = torch.full_like(gradient, len(ids), dtype=torch.int32)
    local[ids] = torch.arange(len(ids), dtype=torch.int32, device=ids.device)
    rows = readout.rows(ids)
    inside = gradient[ids]
    outside = gradient.sum() - inside.sum()
    # Where the mass outside is tiny, so is what it does: any bounded direction serves.
    direction = (pulled - block_by_row(inside, rows)) / torch.where(outside.abs() > LEAST_MASS, outside, torch.inf)
    return Support(ids, local, rows, direction)


def _step(readout: Readout, logits: Tensor, probabilities: Tensor, temperature: Tensor, support: Support) -> Step:
    mass = joined(probabilities, support.ids)[-1].clamp_min(TINY)
    log_partition = torch.logsumexp(logits / temperature, dim=0)
    outside = probabilities.index_fill(0, support.ids, 0.0)
    entropy = -torch.special.xlogy(outside, outside).sum() / mass + mass.log()
    inner = torch.zeros(1, len(support.ids) + 1, device=logits.device, dtype=logits.dtype)
    inner[0, -1] = entropy
    joint = torch.cat([logits[support.ids], ((mass.log() + log_partition) * temperature)[None]])
    if readout.cap is None:
        return Step(joint[None], inner, None, readout)
    slope = _slope(readout, logits)
    mean = (outside * slope).sum() / mass
    return Step(joint[None], inner, torch.cat([slope[support.ids], mean[None]]), readout)


def _slope(readout: Readout, logits: Tensor) -> Tensor:
    """The soft cap's slope at capped logits, by what is before the cap."""
    assert readout.cap is not None
    return 1.0 - (logits / readout.cap).clamp(-1.0, 1.0) ** 2

"""The sketch of one sample's context: its cross entropy under a shift, over the vocabulary or over a support of it.

L positions, M kept entries a position. The tokens are those of a vocabulary of V, or the k of a support and one more
that stands for all others (docs/reflection.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

TINY = torch.finfo(torch.float32).tiny

Move = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
"""Logits after a shift and their derivative by it, as `Readout.move`."""


class Chunk(NamedTuple):
    """Some positions of a context."""

    ids: Tensor
    """(n, M): the likeliest tokens, in descending order."""
    probabilities: Tensor
    """(n, M): theirs."""
    labels: Tensor
    """(n,): the tokens that followed."""
    label_logits: Tensor
    """(n,)."""
    log_partitions: Tensor
    """(n,): log of the sum of e^logit over the vocabulary."""

    def kept_logits(self, cap: float) -> Tensor:
        """Capped logits (n, M) from the probabilities; one rounded to 0 has weight 0, so its logit is moot."""
        logits = self.probabilities.to(self.log_partitions.dtype).clamp_min(2.0**-24).log()
        return logits.add_(self.log_partitions[:, None]).clamp_(-cap, cap)


class _Grown(NamedTuple):
    """A chunk under a shift."""

    kept: Tensor
    """(n, M): the entries' probabilities times what the shift makes of them."""
    slope: Tensor | None
    """(n, M): the soft cap's; None without one."""
    tail: Tensor
    """(n,): the probability beside the entries, at no shift."""
    grown_tail: Tensor
    """(n,): how the tails grow beside each other, up to a factor that they share."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """One sample's context."""

    chunks: tuple[Chunk, ...]
    rest: Tensor
    """(V,): sum over the positions of the probabilities that are not among their M."""
    move: Move
    rest_slope: Tensor | None = None
    """(V,): the same sum, each probability times the soft cap's slope there; None without a cap."""
    cap: float = math.inf
    tail_power: float = 0.0
    """A position's tail grows like the likelihood of the lower half of its M entries to this power, scaled so that all
    tails together grow as the rest does; 0 lets all tails grow alike."""

    @property
    def length(self) -> int:
        """L."""
        return sum(len(chunk.labels) for chunk in self.chunks)

    @property
    def labels(self) -> Tensor:
        """(L,)."""
        found = [chunk.labels for chunk in self.chunks]
        return torch.cat(found) if found else torch.zeros(0, dtype=torch.int32, device=self.rest.device)

    def cross_entropy(self, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Mean over positions of -log softmax(moved row)[label], and its gradient by the shift (V,); 0 where L is 0."""
        rest, rest_slope = self.rest, self._mean_rest_slope()
        growth = (shift if rest_slope is None else shift * rest_slope).exp()
        rest_growth = rest * growth
        rest_ratio = rest_growth.sum() / rest.sum().clamp_min(TINY)
        loss, gradient = shift.new_zeros(()), torch.zeros_like(shift)
        grown = [self._grow(chunk, shift, None if rest_slope is not None else growth) for chunk in self.chunks]
        mass = sum((part.tail.sum() for part in grown), shift.new_zeros(()))
        grown_mass = sum((part.grown_tail.sum() for part in grown), shift.new_zeros(()))
        # Of all chunks together: the result must not depend on how a context is cut into them.
        tail_growth = rest_ratio * mass / grown_mass.clamp_min(TINY)
        moved_mass = shift.new_zeros(())
        for chunk, part in zip(self.chunks, grown, strict=True):
            ids, labels, moved, slope = chunk.ids, chunk.labels, part.kept, part.slope
            moved_tail = part.grown_tail * tail_growth
            partition = moved.sum(1) + moved_tail
            moved /= partition[:, None]
            gradient.index_add_(0, ids.flatten(), (moved if slope is None else moved.mul_(slope)).flatten())
            moved_mass += (moved_tail / partition).sum() / rest_ratio.clamp_min(TINY)
            label_logits, label_slope = self.move(chunk.label_logits, shift[labels])
            loss += (chunk.log_partitions + partition.log() - label_logits).sum()
            gradient.index_add_(0, labels, -torch.ones_like(partition) if label_slope is None else -label_slope)
        rest_gradient = rest_growth * (moved_mass / mass.clamp_min(TINY))
        gradient += rest_gradient if rest_slope is None else rest_gradient * rest_slope
        length = max(1, self.length)
        return loss / length, gradient / length

    def over(self, support: Tensor, local: Tensor) -> Sketch:
        """The same context over the tokens of a support (k,), which holds every label, and one more for all others.

        local (V,) gives a token's place in the support, k for one outside.
        """
        return replace(
            self,
            chunks=tuple(
                chunk._replace(
                    ids=local.index_select(0, chunk.ids.flatten()).view_as(chunk.ids),
                    labels=local.index_select(0, chunk.labels),
                )
                for chunk in self.chunks
            ),
            rest=joined(self.rest, support),
            rest_slope=None if self.rest_slope is None else joined(self.rest_slope, support),
        )

    def _grow(self, chunk: Chunk, shift: Tensor, growth: Tensor | None) -> _Grown:
        """A chunk under a shift; `growth`, e^shift, is given where no soft cap bends it."""
        kept = chunk.probabilities.to(shift.dtype, copy=True)
        tail, lower = 1.0 - kept.sum(1), self._lower(kept)  # before the lines below reuse its memory
        slope = None
        if growth is not None:
            kept.mul_(growth.index_select(0, chunk.ids.flatten()).view_as(kept))
        else:
            logits = chunk.kept_logits(self.cap)
            moved_logits, slope = self.move(logits, shift[chunk.ids])
            kept.mul_((moved_logits - logits).exp())
        grown = tail * (self._lower(kept) / lower) ** self.tail_power if self.tail_power else tail
        return _Grown(kept, slope, tail, grown)

    def _lower(self, kept: Tensor) -> Tensor:
        return kept[:, kept.shape[1] // 2 :].sum(1) + 1e-9

    def _mean_rest_slope(self) -> Tensor | None:
        if self.rest_slope is None:
            return None
        return torch.where(self.rest > 0, self.rest_slope / self.rest.clamp_min(TINY), 1.0)


def joined(masses: Tensor, support: Tensor) -> Tensor:
    """Masses (V,) on a support (k,), and their sum outside it at the end: (k + 1,)."""
    inside = masses.index_select(0, support)
    return torch.cat([inside, (masses.sum() - inside.sum()).clamp_min(0.0)[None]])

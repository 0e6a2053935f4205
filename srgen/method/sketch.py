"""The sketches of contexts: their cross entropies under a shift, over the vocabulary or over a support of it.

R samples of n positions in all, M kept entries a position. The tokens are those of a vocabulary of V, or the k of a
support and one more that stands for all others (docs/reflection.md); `width` is V or k + 1. All samples are computed
together, so that a GPU has as little to launch for many as for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

TINY = torch.finfo(torch.float32).tiny
LEAST_HALF = 1e-9
"""Added to the lower half of a position's entries, which may be nothing."""

Move = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]
"""Logits after a shift and their derivative by it, as `Readout.move`."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """The contexts of R samples, one after another."""

    lengths: Tensor
    """(R,), int64."""
    share: Tensor
    """(R,): of a position in the mean, 1 / length."""
    owners: Tensor
    """(n,): the sample of each position."""
    ids: Tensor
    """(n * M,): places of the likeliest tokens, in descending order, in the samples' shifts as one row of R * width."""
    probabilities: Tensor
    """(n, M): theirs."""
    labels: Tensor
    """(n,): places of the tokens that followed, likewise."""
    label_logits: Tensor
    """(n,)."""
    log_partitions: Tensor
    """(n,): log of the sum of e^logit over the vocabulary."""
    tails: Tensor
    """(n,): the probability beside the M."""
    lower: Tensor
    """(n,): that of the lower half of the M."""
    tail_per_rest: Tensor
    """(R,): the sum of the tails, by the sum of the rest."""
    rest: Tensor
    """(R, width): sum over the positions of the probabilities that are not among their M."""
    move: Move
    rest_slope: Tensor | None = None
    """(R, width): the soft cap's slope there, on average; None without a cap."""
    cap: float = math.inf
    tail_power: float = 0.0
    """A position's tail grows like the likelihood of the lower half of its M entries to this power, scaled so that all
    tails together grow as the rest does; 0 lets all tails grow alike."""

    @classmethod
    def build(
        cls,
        lengths: Sequence[int],
        columns: dict[str, Tensor],
        rest: Tensor,
        rest_slope: Tensor | None,
        *,
        move: Move,
        cap: float,
        tail_power: float,
    ) -> Sketch:
        """Of samples with so many positions; columns: ids and probabilities (n, M), and what else a position has (n,).

        rest (R, V), and with a cap the same sums of probabilities times slopes.
        """
        samples, vocabulary = rest.shape
        device = rest.device
        counts = torch.tensor(lengths, device=device)
        owners = torch.repeat_interleave(torch.arange(samples, device=device), counts, output_size=sum(lengths))
        ids, labels = columns["ids"], columns["labels"]
        if samples > 1:
            first = (owners * vocabulary).int()
            ids, labels = ids + first[:, None], labels + first
        probabilities = columns["probabilities"].to(rest.dtype, copy=True)
        tails = 1.0 - probabilities.sum(1)
        mass = torch.segment_reduce(tails, "sum", lengths=counts, unsafe=True)
        if rest_slope is not None:
            rest_slope = torch.where(rest > 0, rest_slope / rest.clamp_min(TINY), 1.0)
        return cls(
            lengths=counts,
            share=1.0 / counts.clamp_min(1).to(rest.dtype),
            owners=owners,
            ids=ids.flatten(),
            probabilities=probabilities,
            labels=labels,
            label_logits=columns["label_logits"],
            log_partitions=columns["log_partitions"],
            tails=tails,
            lower=_lower(probabilities).add_(LEAST_HALF),
            tail_per_rest=mass / rest.sum(1).clamp_min_(TINY),
            rest=rest,
            move=move,
            rest_slope=rest_slope,
            cap=cap,
            tail_power=tail_power,
        )

    @property
    def samples(self) -> int:
        """R."""
        return len(self.rest)

    def cross_entropy(self, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Means over positions of -log softmax(moved row)[label], (R,), and their gradients by the shift (R, width).

        0 where a context is empty.
        """
        flat = shift.flatten()
        rest = shift if self.rest_slope is None else shift * self.rest_slope
        growth = rest.exp()
        rest = self.rest * growth
        kept, slope = self._kept(flat, growth)
        grown = self._grown_tails(kept)
        # What the tails of a sample grow to: by as much as its rest does.
        tails = rest.sum(1).mul_(self.tail_per_rest)
        tail_growth = tails / self._sums(grown).clamp_min_(TINY)
        moved_tails = grown.mul_(tail_growth[self.owners])
        partitions = kept.sum(1).add_(moved_tails)
        kept /= partitions[:, None]
        label_logits, label_slope = self.move(self.label_logits, flat[self.labels])
        losses = partitions.log().add_(self.log_partitions).sub_(label_logits)
        loss, tail_weight = self._sums(torch.stack([losses, moved_tails.div_(partitions)], 1)).unbind(1)
        gradient = rest.mul_((tail_weight / tails.clamp_min_(TINY))[:, None])
        if self.rest_slope is not None:
            gradient *= self.rest_slope
        entries = gradient.view(-1)
        entries.index_add_(0, self.ids, (kept if slope is None else kept.mul_(slope)).flatten())
        entries.index_add_(0, self.labels, torch.ones_like(losses) if label_slope is None else label_slope, alpha=-1)
        return loss * self.share, gradient.mul_(self.share[:, None])

    def only(self, shift: Tensor) -> tuple[Tensor, Tensor]:
        """`cross_entropy` of one context: a number, and its gradient by the shift (width,)."""
        value, gradient = self.cross_entropy(shift[None])
        return value[0], gradient[0]

    def at_zero(self) -> tuple[Tensor, Tensor]:
        """`cross_entropy` of a shift of 0, which is that of the full rows."""
        kept, labels, gradient = self.probabilities, torch.ones_like(self.label_logits), self.rest.clone()
        if self.rest_slope is not None:
            kept = kept * slope_of(capped_logits(kept, self.log_partitions, self.cap), self.cap)
            labels = slope_of(self.label_logits, self.cap)
            gradient *= self.rest_slope
        entries = gradient.view(-1)
        entries.index_add_(0, self.ids, kept.flatten()).index_add_(0, self.labels, labels, alpha=-1)
        loss = self._sums(self.log_partitions - self.label_logits)
        return loss * self.share, gradient.mul_(self.share[:, None])

    def over(self, support: Tensor, inside: Tensor, local: Tensor) -> Sketch:
        """The same contexts over supports (R, k), which hold every label, and one more token for all others.

        inside (R, k) is 0 where a support has fewer tokens than the longest, else 1; local (R, V) gives a token's place
        in its sample's support, k for one outside.
        """
        places = local.int()
        if self.samples > 1:
            width = support.shape[1] + 1
            places += torch.arange(0, self.samples * width, width, device=places.device, dtype=torch.int32)[:, None]
        places = places.flatten()
        rest = joined(self.rest, support, inside)
        slope = None
        if self.rest_slope is not None:
            slopes = joined(self.rest * self.rest_slope, support, inside)
            slope = torch.where(rest > 0, slopes / rest.clamp_min(TINY), 1.0)
        return replace(
            self,
            ids=places.index_select(0, self.ids),
            labels=places.index_select(0, self.labels),
            rest=rest,
            rest_slope=slope,
        )

    def _kept(self, shift: Tensor, growth: Tensor) -> tuple[Tensor, Tensor | None]:
        """The entries' probabilities times what the shift makes of them, (n, M), and the soft cap's slope there."""
        if self.rest_slope is None:
            return growth.view(-1).index_select(0, self.ids).view_as(self.probabilities).mul_(self.probabilities), None
        logits = capped_logits(self.probabilities, self.log_partitions, self.cap)
        moved, slope = self.move(logits, shift.index_select(0, self.ids).view_as(logits))
        return moved.sub_(logits).exp_().mul_(self.probabilities), slope

    def _grown_tails(self, kept: Tensor) -> Tensor:
        """How the tails grow beside each other, (n,), up to a factor that those of a sample share."""
        if not self.tail_power:
            return self.tails.clone()
        return _lower(kept).add_(LEAST_HALF).div_(self.lower).pow_(self.tail_power).mul_(self.tails)

    def _sums(self, values: Tensor) -> Tensor:
        """Sums of (n, ...) over each sample's positions, (R, ...)."""
        return torch.segment_reduce(values, "sum", lengths=self.lengths, unsafe=True)


def capped_logits(probabilities: Tensor, log_partitions: Tensor, cap: float) -> Tensor:
    """Of entries (n, M), from their probabilities; one rounded to 0 has weight 0, so its logit is moot."""
    return probabilities.clamp_min(2.0**-24).log_().add_(log_partitions[:, None]).clamp_(-cap, cap)


def slope_of(logits: Tensor, cap: float) -> Tensor:
    """The soft cap's slope at capped logits, by what is before the cap."""
    return 1.0 - (logits / cap).clamp(-1.0, 1.0) ** 2


def _lower(entries: Tensor) -> Tensor:
    return entries[:, entries.shape[1] // 2 :].sum(1)


def joined(masses: Tensor, support: Tensor, inside: Tensor) -> Tensor:
    """Masses (R, V) on supports (R, k), 0 where `inside` is, and their sum outside at the end: (R, k + 1)."""
    taken = masses.gather(1, support).mul_(inside)
    return torch.cat([taken, (masses.sum(1) - taken.sum(1)).clamp_min_(0.0)[:, None]], 1)

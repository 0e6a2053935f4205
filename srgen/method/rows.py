"""Logits rows, and what has been found out about them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

GROUP = 16
"""Logits in a group, whose peak is found before the row's largest."""
FEWEST_GROUPS = 3
"""With fewer groups for each logit that is wanted, they are not worth it."""


class Top(NamedTuple):
    """The largest logits of some rows in descending order: values (n, M) and token ids (n, M)."""

    values: Tensor
    ids: Tensor

    @property
    def argmax(self) -> Tensor:
        """(n,): the lowest of the ids that share the largest logit."""
        tied = self.values == self.values[:, :1]
        return torch.where(tied, self.ids, torch.iinfo(torch.int64).max).amin(1)

    def pick(self, index: Tensor | slice) -> Top:
        """Some of the rows."""
        return Top(self.values[index], self.ids[index])

    def first(self, count: int) -> Top:
        """The `count` largest only."""
        return Top(self.values[:, :count], self.ids[:, :count])


class Rows(NamedTuple):
    """Rows of a context, as far as they are known; a store says what it needs."""

    hidden: Tensor | None = None
    """Last hidden states (n, d)."""
    logits: Tensor | None = None
    """(n, V), without any correction."""
    top: Top | None = None
    """Their largest."""
    probabilities: Tensor | None = None
    """(n, V): theirs at temperature 1."""
    peaks: Tensor | None = None
    """`peaks_of` the logits."""

    def pick(self, index: Tensor | slice) -> Rows:
        """Some of the rows."""
        known = (self.hidden, self.logits, self.probabilities, self.peaks)
        hidden, logits, probabilities, peaks = (None if rows is None else rows[index] for rows in known)
        return Rows(hidden, logits, None if self.top is None else self.top.pick(index), probabilities, peaks)


def peaks_of(logits: Tensor) -> Tensor | None:
    """The largest logit of each group of 16 tokens, a 16th of a row (n, V) apart, then the tokens that are left over.

    A pass at the memory's speed, which spares slower ones. None on a GPU, whose time is that of the launches.
    """
    if logits.device.type != "cpu" or logits.shape[1] < GROUP:
        return None
    even = logits.shape[1] // GROUP * GROUP
    peaks = logits[:, :even].view(len(logits), GROUP, -1).amax(1)
    return peaks if even == logits.shape[1] else torch.cat([peaks, logits[:, even:]], 1)


def highest(logits: Tensor, top: Top | None, peaks: Tensor | None) -> Tensor:
    """The largest logit of each row (n, V), from what is known: (n,); NaN where one is."""
    if peaks is not None:
        return peaks.amax(dim=1)
    return logits.amax(dim=1) if top is None else top.values[:, 0]


def likeliest(logits: Tensor, peaks: Tensor | None) -> Tensor:
    """The argmax of each row (n, V), the lowest of ids that share the largest logit: (n,)."""
    if peaks is None or bool(((peaks == peaks.amax(1, keepdim=True)).sum(1) > 1).any()):
        return logits.argmax(dim=1)
    groups = logits.shape[1] // GROUP
    place = peaks.argmax(1, keepdim=True)
    members = torch.arange(0, groups * GROUP, groups)
    # A token that is left over stands for itself, one group's length after the last member's place.
    ids = torch.where(place < groups, place + members, place + members[-1])
    return ids.gather(1, logits.gather(1, ids).argmax(1, keepdim=True))[:, 0]


def largest(logits: Tensor, count: int, peaks: Tensor | None = None) -> Top:
    """The `count` largest logits of each row (n, V), at most all of them; `peaks` are theirs, if known."""
    count = min(count, logits.shape[1])
    groups = logits.shape[1] // GROUP
    if logits.device.type != "cpu" or groups < FEWEST_GROUPS * count:
        return Top(*torch.topk(logits, count, dim=-1))
    peaks = peaks_of(logits) if peaks is None else peaks
    assert peaks is not None
    # They are in the `count` groups whose peaks are the largest, or left over.
    found = torch.topk(peaks[:, :groups], count, dim=-1, sorted=False).indices
    ids = (found[:, None] + torch.arange(0, groups * GROUP, groups)[:, None]).flatten(1)
    left = torch.arange(groups * GROUP, logits.shape[1])
    if len(left):
        ids = torch.cat([ids, left.expand(len(logits), -1)], dim=1)
    values, places = torch.topk(logits.gather(1, ids), count, dim=-1)
    return Top(values, ids.gather(1, places))

"""Logits rows, and what has been found out about them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

GROUP = 16
"""Logits in a group, whose largest is found before that of the row."""
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

    def pick(self, index: Tensor | slice) -> Rows:
        """Some of the rows."""
        known = (self.hidden, self.logits, self.probabilities)
        hidden, logits, probabilities = (None if rows is None else rows[index] for rows in known)
        return Rows(hidden, logits, None if self.top is None else self.top.pick(index), probabilities)


def largest(logits: Tensor, count: int) -> Top:
    """The `count` largest logits of each row (n, V), at most all of them."""
    count = min(count, logits.shape[1])
    # A GPU's time is that of the launches.
    if logits.is_cuda or logits.shape[1] < FEWEST_GROUPS * count * GROUP:
        return Top(*torch.topk(logits, count, dim=-1))
    # They are in the `count` groups whose largest are the largest: a pass at the memory's speed leaves few to sort.
    groups = logits.shape[1] // GROUP
    grouped = logits[:, : groups * GROUP].view(len(logits), GROUP, groups)
    found = torch.topk(grouped.amax(1), count, dim=-1, sorted=False).indices
    ids = (found[:, None] + torch.arange(0, groups * GROUP, groups)[:, None]).flatten(1)
    ungrouped = torch.arange(groups * GROUP, logits.shape[1]).expand(len(logits), -1)
    ids = torch.cat([ids, ungrouped], dim=1)
    values, places = torch.topk(logits.gather(1, ids), count, dim=-1)
    return Top(values, ids.gather(1, places))

"""Logits rows, and what has been found out about them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


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

    def pick(self, index: Tensor) -> Rows:
        """Some of the rows."""
        hidden, logits = (None if rows is None else rows[index] for rows in (self.hidden, self.logits))
        return Rows(hidden, logits, None if self.top is None else self.top.pick(index))


def largest(logits: Tensor, count: int) -> Top:
    """The `count` largest logits of each row (n, V), at most all of them."""
    return Top(*torch.topk(logits, min(count, logits.shape[1]), dim=-1))

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


class Rows(NamedTuple):
    """Rows of a context, as far as they are known; a store says what it needs."""

    hidden: Tensor | None = None
    """Last hidden states (n, d)."""
    logits: Tensor | None = None
    """(n, V), without any correction."""
    top: Top | None = None
    """Their largest."""
    probabilities: Tensor | None = None
    """Their softmax (n, V), float32; a store overwrites it."""

    def pick(self, index: Tensor) -> Rows:
        """Some of the rows."""
        top = None if self.top is None else Top(self.top.values[index], self.top.ids[index])
        hidden, logits, probabilities = (
            None if rows is None else rows[index] for rows in (self.hidden, self.logits, self.probabilities)
        )
        return Rows(hidden, logits, top, probabilities)


def largest(logits: Tensor, count: int) -> Top:
    """The `count` largest logits of each row (n, V), at most all of them."""
    return Top(*torch.topk(logits, min(count, logits.shape[1]), dim=-1))

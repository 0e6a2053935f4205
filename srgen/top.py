"""The largest entries of logits rows."""

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


def largest(logits: Tensor, count: int) -> Top:
    """The `count` largest logits of each row (n, V), at most all of them."""
    return Top(*torch.topk(logits, min(count, logits.shape[1]), dim=-1))

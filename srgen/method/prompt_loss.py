"""The cross entropy of one text under a shift of all its logits rows, exactly and quickly, for several steps.

n positions, V vocabulary, d hidden size. The rows are computed once; without a soft cap a step then takes two products
of a vector with their probabilities: softmax(z_i + s) is p_i e^s over its sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.method.paging import chunk_rows, product_rows
from srgen.methods.contract import Head


class _Chunk(NamedTuple):
    """Rows (m, V): e^(z - max z) at shift 0 without a cap, logits with one; labels (m, 1)."""

    rows: Tensor
    labels: Tensor
    label_logits: Tensor
    """Logits of the labels at shift 0, less the largest of their rows, (m,)."""


class PromptLoss:
    """Mean cross entropy of n labels, and its gradient by the shift."""

    def __init__(self, head: Head, hidden: Tensor, labels: Sequence[int], most_logits: int) -> None:
        """hidden (n, d), n >= 1; rows are kept where they hold at most `most_logits` numbers, else computed anew."""
        self._head = head
        self._hidden = hidden
        self._labels = torch.tensor(labels, dtype=torch.int64, device=hidden.device)[:, None]
        keeps = len(labels) * head.vocabulary <= most_logits
        self._kept = list(self._compute()) if keeps else None

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self._hidden.device

    def __call__(self, shift: Tensor) -> tuple[Tensor, Tensor]:
        """The loss (scalar, nats) under a shift (V,) of every row before the cap, and its gradient (V,)."""
        loss, gradient = shift.new_zeros(()), torch.zeros_like(shift)
        for chunk in self._compute() if self._kept is None else self._kept:
            part, slope = self._uncapped(chunk, shift) if self._head.cap is None else self._capped(chunk, shift)
            loss += part
            gradient += slope
        count = len(self._labels)
        return loss / count, gradient / count

    def _compute(self) -> Iterator[_Chunk]:
        size = product_rows(self.device, self._head.vocabulary)
        for start in range(0, len(self._labels), size):
            labels = self._labels[start : start + size]
            rows = self._head.logits(self._hidden[start : start + size])
            of_labels = rows.gather(1, labels)[:, 0]
            if self._head.cap is None:
                of_labels = of_labels - self._exponentiate(rows)
            yield _Chunk(rows, labels, of_labels)

    def _exponentiate(self, rows: Tensor) -> Tensor:
        """Put e^(z - max z) in the place of the logits z (m, V); the largest of each row (m,)."""
        largest = []
        size = max(1, chunk_rows(self.device, self._head.vocabulary) // 8)  # what stays in the cache
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            most = part.amax(dim=1, keepdim=True)
            part.sub_(most).exp_()
            largest.append(most[:, 0])
        return torch.cat(largest)

    def _uncapped(self, chunk: _Chunk, shift: Tensor) -> tuple[Tensor, Tensor]:
        largest = shift.max()
        growth = (shift - largest).exp()
        partition = chunk.rows @ growth
        loss = (partition.log() + largest - chunk.label_logits - shift[chunk.labels[:, 0]]).sum()
        gradient = growth * (partition.reciprocal() @ chunk.rows)
        return loss, gradient.index_add_(0, chunk.labels[:, 0], -torch.ones_like(partition))

    def _capped(self, chunk: _Chunk, shift: Tensor) -> tuple[Tensor, Tensor]:
        moved, slope = self._head.move(chunk.rows, shift)
        scores = moved.log_softmax(dim=1)
        weights = scores.exp().scatter_add_(1, chunk.labels, -torch.ones_like(scores[:, :1]))
        return -scores.gather(1, chunk.labels).sum(), (weights if slope is None else weights * slope).sum(0)

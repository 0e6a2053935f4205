"""Logits rows that wait to become part of their contexts.

One pass over many rows costs less than many over few, and rows of a sample that ends before it reflects again cost
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.method.rows import Rows, Top


class Taken(NamedTuple):
    """Rows that have waited: n slots, labels (n,), logits and probabilities (n, V), and their largest logits if those
    of all are known."""

    slots: list[int]
    labels: Tensor
    logits: Tensor
    probabilities: Tensor
    top: Top | None


class WaitingRows:
    """Up to `capacity` rows of `vocabulary` logits."""

    def __init__(self, capacity: int, vocabulary: int, dtype: torch.dtype, device: torch.device) -> None:
        # Rows are copied, so that what the model returns is memory that it has just used, and not new at every step.
        self._logits = torch.empty(capacity, vocabulary, dtype=dtype, device=device)
        self._probabilities = torch.empty_like(self._logits)
        self._clear()

    def _clear(self) -> None:
        self._slots: list[int | None] = []
        self._labels: list[Tensor] = []
        self._tops: list[Top | None] = []
        self._known = True
        """The probabilities of all rows are."""

    def __contains__(self, slot: int) -> bool:
        return slot in self._slots

    @property
    def free(self) -> int:
        """Rows that there is room for."""
        return len(self._logits) - len(self._slots)

    def add(self, slots: Sequence[int], labels: Tensor, rows: Rows) -> None:
        """Add at most `free` rows, of which the logits are needed, and labels (n,)."""
        assert rows.logits is not None
        new = slice(len(self._slots), len(self._slots) + len(slots))
        self._logits[new] = rows.logits
        if rows.probabilities is None:
            self._known = False
        elif self._known:
            self._probabilities[new] = rows.probabilities
        self._slots += slots
        self._labels.append(labels)
        self._tops.append(rows.top)

    def forget(self, slot: int) -> None:
        """Drop the rows of a slot."""
        self._slots = [None if other == slot else other for other in self._slots]

    def take(self) -> Taken:
        """All rows, which leave; they are good until the next one is added, and may be written to."""
        slots = [slot for slot in self._slots if slot is not None]
        count = len(self._slots)
        labels, logits, probabilities = torch.cat(self._labels), self._logits[:count], self._probabilities[:count]
        if not self._known:
            torch.softmax(logits, dim=1, out=probabilities)
        tops = [top for top in self._tops if top is not None]
        top = Top(*map(torch.cat, zip(*tops, strict=True))) if len(tops) == len(self._tops) else None
        if len(slots) < count:
            kept = [row for row, slot in enumerate(self._slots) if slot is not None]
            index = torch.tensor(kept, dtype=torch.int64, device=logits.device)
            labels, logits, probabilities = labels[index], logits[index], probabilities[index]
            top = None if top is None else top.pick(index)
        self._clear()
        return Taken(slots, labels, logits, probabilities, top)

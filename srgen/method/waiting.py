"""Logits rows that wait to become part of their contexts.

One pass over many rows costs less than many over few, and rows of a sample that ends before it reflects again cost
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.method.rows import Top


class Taken(NamedTuple):
    """Rows that have waited: n slots, labels (n,), logits (n, V), and their largest if those of all are known."""

    slots: list[int]
    labels: Tensor
    logits: Tensor
    top: Top | None


class WaitingRows:
    """Up to `capacity` rows of `vocabulary` logits. They are not copied: what was added must stay as it is."""

    def __init__(self, capacity: int, vocabulary: int, dtype: torch.dtype, device: torch.device) -> None:
        self._together = torch.empty(capacity, vocabulary, dtype=dtype, device=device)
        self._clear()

    def _clear(self) -> None:
        self._slots: list[int | None] = []
        self._labels: list[Tensor] = []
        self._logits: list[Tensor] = []
        self._tops: list[Top | None] = []

    def __contains__(self, slot: int) -> bool:
        return slot in self._slots

    @property
    def free(self) -> int:
        """Rows that there is room for."""
        return len(self._together) - len(self._slots)

    def add(self, slots: Sequence[int], labels: Tensor, logits: Tensor, top: Top | None) -> None:
        """Add at most `free` rows: labels (n,), logits (n, V) and, where known, their largest."""
        self._slots += slots
        self._labels.append(labels)
        self._logits.append(logits)
        self._tops.append(top)

    def forget(self, slot: int) -> None:
        """Drop the rows of a slot."""
        self._slots = [None if other == slot else other for other in self._slots]

    def take(self) -> Taken:
        """All rows, which leave; the logits are good until the next call."""
        slots = [slot for slot in self._slots if slot is not None]
        labels = torch.cat(self._labels)
        logits = torch.cat(self._logits, out=self._together[: len(self._slots)])
        tops = [top for top in self._tops if top is not None]
        top = Top(*map(torch.cat, zip(*tops, strict=True))) if len(tops) == len(self._tops) else None
        if len(slots) < len(self._slots):
            kept = [row for row, slot in enumerate(self._slots) if slot is not None]
            index = torch.tensor(kept, dtype=torch.int64, device=logits.device)
            labels, logits = labels[index], logits[index]
            top = None if top is None else top.pick(index)
        self._clear()
        return Taken(slots, labels, logits, top)

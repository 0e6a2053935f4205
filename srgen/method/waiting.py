"""Logits rows that wait to become part of their contexts.

One pass over many rows costs less than many over few, and rows of a sample that ends before it reflects again cost
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.method.rows import Rows, Top, highest, peaks_of


class Taken(NamedTuple):
    """Rows that have waited: n of them, and what is known of each."""

    slots: list[int]
    labels: Tensor
    """(n,)."""
    label_logits: Tensor
    """(n,)."""
    largest_logits: Tensor
    """(n,)."""
    rows: Rows
    """Probabilities, and what else is worth having: logits where they are kept, peaks, the largest if all are known."""


class WaitingRows:
    """Up to `capacity` rows of `vocabulary` probabilities, with their logits where `keeps_logits`."""

    def __init__(
        self, capacity: int, vocabulary: int, dtype: torch.dtype, device: torch.device, keeps_logits: bool
    ) -> None:
        # Rows get memory of their own, which stays: new memory at every step costs more than the pass that fills it.
        self._probabilities = torch.empty(capacity, vocabulary, dtype=dtype, device=device)
        self._logits = torch.empty_like(self._probabilities) if keeps_logits else None
        peaks = peaks_of(self._probabilities[:1])
        self._peaks = None if peaks is None else peaks.new_empty(capacity, peaks.shape[1])
        self._clear()

    def _clear(self) -> None:
        self._slots: list[int | None] = []
        self._columns: list[tuple[Tensor, Tensor, Tensor]] = []
        """Labels, their logits and the largest ones, of the rows of a call."""
        self._tops: list[Top | None] = []

    def __contains__(self, slot: int) -> bool:
        return slot in self._slots

    @property
    def free(self) -> int:
        """Rows that there is room for."""
        return len(self._probabilities) - len(self._slots)

    def room(self, count: int) -> Tensor:
        """Where the probabilities of the next `count` rows, at most `free`, will lie, (count, V)."""
        return self._probabilities[len(self._slots) : len(self._slots) + count]

    def add(self, slots: Sequence[int], labels: Tensor, rows: Rows) -> None:
        """Add at most `free` rows, of which the logits are needed, and labels (n,).

        Probabilities that are in their `room` are not copied.
        """
        assert rows.logits is not None
        new = slice(len(self._slots), len(self._slots) + len(slots))
        if rows.probabilities is None:
            torch.softmax(rows.logits, dim=1, out=self._probabilities[new])
        else:
            self._probabilities[new] = rows.probabilities
        if self._logits is not None:
            self._logits[new] = rows.logits
        peaks = rows.peaks
        if self._peaks is not None:
            peaks = peaks_of(rows.logits) if peaks is None else peaks
            assert peaks is not None
            self._peaks[new] = peaks
        self._slots += slots
        label_logits = rows.logits.gather(1, labels.long()[:, None])[:, 0]
        self._columns.append((labels, label_logits, highest(rows.logits, rows.top, peaks)))
        self._tops.append(rows.top)

    def forget(self, slot: int) -> None:
        """Drop the rows of a slot."""
        self._slots = [None if other == slot else other for other in self._slots]

    def take(self) -> Taken:
        """All rows, which leave; they are good until the next one is added, and may be written to."""
        slots = [slot for slot in self._slots if slot is not None]
        count = len(self._slots)
        columns = [torch.cat(parts) for parts in zip(*self._columns, strict=True)]
        tops = [top for top in self._tops if top is not None]
        top = Top(*map(torch.cat, zip(*tops, strict=True))) if len(tops) == len(self._tops) else None
        rows = Rows(None, self._logits, top, self._probabilities, self._peaks).pick(slice(count))
        if len(slots) < count:
            kept = [row for row, slot in enumerate(self._slots) if slot is not None]
            index = torch.tensor(kept, dtype=torch.int64, device=self._probabilities.device)
            columns, rows = [column[index] for column in columns], rows.pick(index)
        self._clear()
        labels, label_logits, largest_logits = columns
        return Taken(slots, labels, label_logits, largest_logits, rows)

"""What is kept of a context's logits rows, and its cross entropy under a shift of all of them (METHOD section 3).

L positions, V vocabulary, M kept entries, d hidden size. A store holds the contexts of many samples, each under a slot.
Its rows lie in pages, so that appending the rows of a whole batch is one write and a sample that ends frees its pages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from srgen.readout import Readout
from srgen.rows import Rows, largest

PAGE = 64
"""Positions per page."""
CPU_CHUNK, GPU_CHUNK = 1 << 21, 1 << 24
"""Bounds of a chunk's temporaries, in elements: what a cache holds; enough rows that reading W is not all of the work."""


def chunk_rows(device: torch.device, row_elements: int) -> int:
    """How many rows to work on at once, where a row's temporaries have so many elements."""
    return max(1, (CPU_CHUNK if device.type == "cpu" else GPU_CHUNK) // row_elements)


class ContextStore(Protocol):
    """Contexts of several samples; a slot is a small integer that belongs to one sample."""

    def open(self) -> int:
        """A slot with an empty context."""
        ...

    def close(self, slot: int) -> None:
        """Free a slot."""
        ...

    def append(self, slots: Sequence[int], labels: Tensor, rows: Rows) -> None:
        """Append n rows; labels (n,) are the tokens that followed."""
        ...

    def cross_entropy(self, slot: int, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Mean over the slot's positions of -log softmax(moved row)[label], and its gradient by the shift (V,).

        Both are 0 for an empty context.
        """
        ...


class _Pages:
    """Page tables: which rows of the pool belong to which slot."""

    def __init__(self) -> None:
        self.lengths: dict[int, int] = {}
        self.capacity = 0
        self._tables: dict[int, list[int]] = {}
        self._free: list[int] = []
        self._closed: list[int] = []

    def open(self) -> int:
        slot = self._closed.pop() if self._closed else len(self.lengths)
        self.lengths[slot] = 0
        self._tables[slot] = []
        return slot

    def close(self, slot: int) -> None:
        self._free.extend(self._tables.pop(slot))
        self.lengths.pop(slot)
        self._closed.append(slot)

    def extend(self, slots: Sequence[int]) -> list[int]:
        """Rows of the pool for one more position of each slot; the pool may have to grow to `capacity` pages."""
        rows = []
        for slot in slots:
            length, table = self.lengths[slot], self._tables[slot]
            if length == len(table) * PAGE:
                table.append(self._new_page())
            rows.append(table[-1] * PAGE + length % PAGE)
            self.lengths[slot] = length + 1
        return rows

    def rows(self, slot: int, start: int, stop: int) -> slice | list[int]:
        """Rows of the pool that hold some positions; a slice (no copy) where their pages are neighbours."""
        pages = self._tables[slot][start // PAGE : (stop - 1) // PAGE + 1]
        first = pages[0] * PAGE + start % PAGE
        if pages == list(range(pages[0], pages[0] + len(pages))):
            return slice(first, first + stop - start)
        return [
            pages[(position - start // PAGE * PAGE) // PAGE] * PAGE + position % PAGE for position in range(start, stop)
        ]

    def _new_page(self) -> int:
        if not self._free:
            grown = max(16, self.capacity + (self.capacity + 1) // 2)
            self._free.extend(range(grown - 1, self.capacity - 1, -1))
            self.capacity = grown
        return self._free.pop()


def _grown(pool: Tensor, rows: int) -> Tensor:
    if pool.shape[0] >= rows:
        return pool
    larger = pool.new_zeros((rows, *pool.shape[1:]))
    larger[: pool.shape[0]] = pool
    return larger


class _PagedStore:
    """Slots, pages and labels; subclasses keep the rows themselves in `_pools`."""

    def __init__(self, readout: Readout, row_elements: int) -> None:
        self._readout = readout
        self._pages = _Pages()
        self._pools: dict[str, Tensor] = {"labels": torch.zeros(0, dtype=torch.int32, device=readout.device)}
        self._chunk = chunk_rows(readout.device, row_elements)

    def open(self) -> int:
        return self._pages.open()

    def close(self, slot: int) -> None:
        self._pages.close(slot)

    def _write(self, slots: Sequence[int], values: dict[str, Tensor]) -> None:
        rows = torch.tensor(self._pages.extend(slots), device=self._readout.device)
        for name, value in values.items():
            pool = self._pools[name] = _grown(self._pools[name], self._pages.capacity * PAGE)
            pool[rows] = value.to(pool.dtype)

    def _chunks(self, slot: int) -> Iterator[dict[str, Tensor]]:
        length = self._pages.lengths[slot]
        for start in range(0, length, self._chunk):
            rows = self._pages.rows(slot, start, min(start + self._chunk, length))
            index = rows if isinstance(rows, slice) else torch.tensor(rows, device=self._readout.device)
            yield {name: pool[index] for name, pool in self._pools.items()}

    def _mean(self, slot: int, loss: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        length = max(1, self._pages.lengths[slot])
        return loss / length, gradient / length


class ExactStore(_PagedStore):
    """Keeps hidden states (d numbers a position) and computes their logits rows anew, a chunk at a time."""

    def __init__(self, readout: Readout) -> None:
        super().__init__(readout, readout.vocabulary)
        self._pools["hidden"] = torch.zeros(0, readout.hidden, dtype=readout.weight.dtype, device=readout.device)

    def append(self, slots: Sequence[int], labels: Tensor, rows: Rows) -> None:
        """Append rows; `hidden` is needed, the rest is not."""
        if rows.hidden is None:
            raise ValueError("the exact context needs hidden states")
        self._write(slots, {"labels": labels, "hidden": rows.hidden})

    def cross_entropy(self, slot: int, shift: Tensor) -> tuple[Tensor, Tensor]:
        """See ContextStore."""
        loss, gradient = shift.new_zeros(()), torch.zeros_like(shift)
        for chunk in self._chunks(slot):
            labels = chunk["labels"].long()[:, None]
            moved, slope = self._readout.moved_logits(chunk["hidden"], shift)
            probabilities = torch.softmax(moved, dim=-1)
            loss -= probabilities.gather(1, labels).clamp_min(torch.finfo(shift.dtype).tiny).log().sum()
            weight = probabilities if slope is None else probabilities.mul_(slope)
            label_slope = torch.ones_like(labels, dtype=shift.dtype) if slope is None else slope.gather(1, labels)
            gradient += weight.sum(0)
            gradient.index_add_(0, labels[:, 0], -label_slope[:, 0])
        return self._mean(slot, loss, gradient)


class SketchStore(_PagedStore):
    """Keeps the M largest probabilities of a position (6 M bytes), and per sample the sum of what is outside them.

    Probabilities are stored in float16 rounded down; what the rounding leaves goes to the sample's rest vector, so that
    the sums at shift 0 are those of the full rows. With a soft cap the rest's mean slope is kept too.
    """

    def __init__(self, readout: Readout, top: int) -> None:
        self.top = min(top, readout.vocabulary)
        super().__init__(readout, self.top * 4)
        device = readout.device
        self._cap = math.inf if readout.cap is None else readout.cap
        self._pools |= {
            "ids": torch.zeros(0, self.top, dtype=torch.int32, device=device),
            "probabilities": torch.zeros(0, self.top, dtype=torch.float16, device=device),
            "label_logits": torch.zeros(0, device=device, dtype=readout.dtype),
            "log_partitions": torch.zeros(0, device=device, dtype=readout.dtype),
        }
        self._rest = torch.zeros(0, readout.vocabulary, device=device, dtype=readout.dtype)
        self._rest_slope = None if readout.cap is None else torch.zeros_like(self._rest)

    def open(self) -> int:
        """A slot with an empty context."""
        slot = super().open()
        slots = len(self._pages.lengths)
        self._rest = _grown(self._rest, slots)
        self._rest[slot] = 0
        if self._rest_slope is not None:
            self._rest_slope = _grown(self._rest_slope, slots)
            self._rest_slope[slot] = 0
        return slot

    def append(self, slots: Sequence[int], labels: Tensor, rows: Rows) -> None:
        """Append rows; `logits` is needed, `top` (of at least M) and `probabilities` are not found out again."""
        if rows.logits is None:
            raise ValueError("the sketch needs logits rows")
        logits, top = rows.logits.to(self._readout.dtype), rows.top
        values, ids = top if top is not None and top.ids.shape[1] >= self.top else largest(logits, self.top)
        values, ids = values[:, : self.top], ids[:, : self.top]
        rest = torch.softmax(logits, dim=-1) if rows.probabilities is None else rows.probabilities
        exact = rest.gather(1, ids)
        # The largest probability gives the partition sum without another pass over the row.
        log_partitions = values[:, 0] - exact[:, 0].log()
        stored = _float16_down(exact)
        index = torch.tensor(list(slots), device=logits.device)
        if self._rest_slope is not None:
            kept, slope = stored.to(rest.dtype), self._slope(self._kept_logits(stored, log_partitions))
            rest_slope = rest * self._slope(logits)
            self._rest_slope.index_add_(0, index, rest_slope.scatter_add_(1, ids, -kept * slope))
        self._rest.index_add_(0, index, rest.scatter_(1, ids, exact - stored.to(rest.dtype)))
        self._write(
            slots,
            {
                "labels": labels,
                "ids": ids,
                "probabilities": stored,
                "label_logits": logits.gather(1, labels.long()[:, None])[:, 0],
                "log_partitions": log_partitions,
            },
        )

    def cross_entropy(self, slot: int, shift: Tensor) -> tuple[Tensor, Tensor]:
        """See ContextStore."""
        rest, rest_slope = self._rest[slot], self._mean_rest_slope(slot)
        growth = shift.exp() if rest_slope is None else None
        rest_growth = rest * ((shift * rest_slope).exp() if growth is None else growth)
        rest_ratio = rest_growth.sum() / rest.sum().clamp_min(torch.finfo(torch.float32).tiny)
        loss, gradient = shift.new_zeros(()), torch.zeros_like(shift)
        mass, moved_mass = shift.new_zeros(()), shift.new_zeros(())
        for chunk in self._chunks(slot):
            ids, labels, kept = chunk["ids"], chunk["labels"], chunk["probabilities"].to(shift.dtype)
            tail = 1.0 - kept.sum(1)  # before the line below reuses its memory
            if growth is not None:
                moved, slope = kept.mul_(growth.index_select(0, ids.flatten()).view_as(kept)), None
            else:
                logits = self._kept_logits(chunk["probabilities"], chunk["log_partitions"])
                moved_logits, slope = self._readout.move(logits, shift[ids])
                moved = kept * (moved_logits - logits).exp()
            partition = moved.sum(1) + tail * rest_ratio
            moved /= partition[:, None]
            gradient.index_add_(0, ids.flatten(), (moved if slope is None else moved * slope).flatten())
            mass += tail.sum()
            moved_mass += (tail / partition).sum()
            label_logits, label_slope = self._readout.move(chunk["label_logits"], shift[labels])
            loss += (chunk["log_partitions"] + partition.log() - label_logits).sum()
            gradient.index_add_(0, labels, -torch.ones_like(partition) if label_slope is None else -label_slope)
        rest_gradient = rest_growth * (moved_mass / mass.clamp_min(torch.finfo(torch.float32).tiny))
        gradient += rest_gradient if rest_slope is None else rest_gradient * rest_slope
        return self._mean(slot, loss, gradient)

    def _kept_logits(self, probabilities: Tensor, log_partitions: Tensor) -> Tensor:
        """Capped logits (n, M) from stored probabilities; one rounded to 0 has weight 0, so its logit is moot."""
        logits = probabilities.to(log_partitions.dtype).clamp_min(2.0**-24).log() + log_partitions[:, None]
        return logits.clamp(-self._cap, self._cap)

    def _slope(self, logits: Tensor) -> Tensor:
        return 1.0 - (logits / self._cap) ** 2

    def _mean_rest_slope(self, slot: int) -> Tensor | None:
        if self._rest_slope is None:
            return None
        rest = self._rest[slot]
        return torch.where(rest > 0, self._rest_slope[slot] / rest.clamp_min(torch.finfo(torch.float32).tiny), 1.0)


def _float16_down(values: Tensor) -> Tensor:
    """Positive values rounded down to float16: the float16 numbers are ordered like their bit patterns."""
    nearest = values.half()
    return (nearest.view(torch.int16) - (nearest.to(values.dtype) > values).to(torch.int16)).view(torch.float16)


def context_store(readout: Readout, mode: str, top: int) -> ContextStore:
    """The store for `--reflection sketch|exact`."""
    return ExactStore(readout) if mode == "exact" else SketchStore(readout, top)

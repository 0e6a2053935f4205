"""Storage of many contexts in pages: appending a batch's rows is one write, and a sample that ends frees its pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from srgen.method.readout import Readout

PAGE = 64
"""Positions per page."""
CPU_CHUNK, GPU_CHUNK = 1 << 21, 1 << 24
"""Bounds of a chunk's temporaries, in elements: what a cache holds; enough rows that W is not read for a few."""

LEAST_ROWS = 128
"""Rows of one product with W, which each product reads whole."""


def chunk_rows(device: torch.device, row_elements: int) -> int:
    """How many rows to work on at once, where a row's temporaries have so many elements."""
    return max(1, (CPU_CHUNK if device.type == "cpu" else GPU_CHUNK) // row_elements)


def product_rows(device: torch.device, vocabulary: int) -> int:
    """How many rows to multiply by W at once; their logits then need not fit a cache."""
    return max(LEAST_ROWS, chunk_rows(device, vocabulary))


class Pages:
    """Page tables: which rows of the pool belong to which slot."""

    def __init__(self) -> None:
        self.lengths: dict[int, int] = {}
        self.capacity = 0
        self._tables: dict[int, list[int]] = {}
        self._free: list[int] = []
        self._closed: list[int] = []

    def open(self) -> int:
        """A slot without positions."""
        slot = self._closed.pop() if self._closed else len(self.lengths)
        self.lengths[slot] = 0
        self._tables[slot] = []
        return slot

    def close(self, slot: int) -> None:
        """Free a slot and its pages."""
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

    def gather(self, pool: Tensor, slot: int, start: int, stop: int) -> Tensor:
        """A slot's positions start .. stop - 1 in a pool (rows, ...); a view where their pages are neighbours."""
        pages = self._tables[slot][start // PAGE : (stop - 1) // PAGE + 1]
        skipped = start % PAGE
        if pages == list(range(pages[0], pages[0] + len(pages))):
            first = pages[0] * PAGE + skipped
            return pool[first : first + stop - start]
        paged = pool.view(-1, PAGE, *pool.shape[1:])[torch.tensor(pages, device=pool.device)]
        return paged.flatten(0, 1)[skipped : skipped + stop - start]

    def rows(self, slots: Sequence[int]) -> Tensor:
        """Rows of the pool of all positions of some slots, in order, on the host."""
        within = torch.arange(PAGE)
        found = [
            (torch.tensor(self._tables[slot], dtype=torch.int64)[:, None] * PAGE + within).flatten()[
                : self.lengths[slot]
            ]
            for slot in slots
        ]
        return torch.cat(found)

    def _new_page(self) -> int:
        if not self._free:
            grown = max(16, self.capacity + (self.capacity + 1) // 2)
            self._free.extend(range(grown - 1, self.capacity - 1, -1))
            self.capacity = grown
        return self._free.pop()


def grown(pool: Tensor, rows: int) -> Tensor:
    """The pool itself, or where it has fewer rows a larger copy, filled up with zeros."""
    if pool.shape[0] >= rows:
        return pool
    larger = pool.new_zeros((rows, *pool.shape[1:]))
    larger[: pool.shape[0]] = pool
    return larger


class PagedStore:
    """Slots, pages and labels; subclasses keep the rows themselves in `_pools`."""

    def __init__(self, readout: Readout, row_elements: int) -> None:
        self._readout = readout
        self._pages = Pages()
        self._pools: dict[str, Tensor] = {"labels": torch.zeros(0, dtype=torch.int32, device=readout.device)}
        self._chunk = chunk_rows(readout.device, row_elements)
        self._prompts: dict[int, int | None] = {}

    def open(self, prompt: int | None = None) -> int:
        """A slot whose context begins with that of the slot `prompt`, or empty."""
        slot = self._pages.open()
        self._prompts[slot] = prompt
        return slot

    def close(self, slot: int) -> None:
        """Free a slot."""
        self._pages.close(slot)
        del self._prompts[slot]

    def _write(self, slots: Sequence[int], values: dict[str, Tensor]) -> None:
        rows = torch.tensor(self._pages.extend(slots), device=self._readout.device)
        for name, value in values.items():
            pool = self._pools[name] = grown(self._pools[name], self._pages.capacity * PAGE)
            pool[rows] = value.to(pool.dtype)

    def _parts(self, slot: int) -> list[int]:
        """The slots that hold a slot's context, in order."""
        prompt = self._prompts[slot]
        return [slot] if prompt is None else [prompt, slot]

    def _chunks(self, slot: int) -> Iterator[dict[str, Tensor]]:
        for part in self._parts(slot):
            length = self._pages.lengths[part]
            for start in range(0, length, self._chunk):
                stop = min(start + self._chunk, length)
                yield {name: self._pages.gather(pool, part, start, stop) for name, pool in self._pools.items()}

    def _mean(self, slot: int, loss: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        length = max(1, sum(self._pages.lengths[part] for part in self._parts(slot)))
        return loss / length, gradient / length

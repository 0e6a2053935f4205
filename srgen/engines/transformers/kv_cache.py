"""The KV cache of a batch whose rows come and go: right-aligned rows in storage that is written in place.

Column `stop` is where every row's next token goes, so a row of length n occupies columns stop - n .. stop. A row that
ends is replaced by the last one; a new row's prompt is copied in. Nothing is reallocated per step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache, DynamicLayer

from srgen.errors import UnsupportedModelError

BLOCK = 256
"""Columns that storage grows by."""


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's keys and values, (rows, heads, columns, head size), of which the cache's window is in use."""

    is_sliding = False

    def __init__(self, cache: RaggedCache, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self._cache = cache
        self.storage = (keys, values)
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: storage exists from the start."""

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write one new column (rows, heads, 1, size) and return the window that includes it."""
        cache = self._cache
        for storage, state in zip(self.storage, (key_states, value_states), strict=True):
            storage[: cache.rows, :, cache.stop : cache.stop + 1] = state
        keys, values = (storage[: cache.rows, :, cache.start : cache.stop + 1] for storage in self.storage)
        return keys, values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(key length, key offset) for the mask of a step."""
        return self._cache.stop - self._cache.start + query_length, 0

    def get_seq_length(self) -> int:
        """Columns in use before the step."""
        return self._cache.stop - self._cache.start

    def get_max_length(self) -> int:
        """No bound."""
        return -1


class RaggedCache(Cache):  # type: ignore[misc]
    """Keys and values of `rows` rows with lengths `lengths`; starts with no row."""

    def __init__(self) -> None:
        self.layers: list[_Layer]
        super().__init__(layers=[])
        self.lengths: list[int] = []
        self.start = 0
        self.stop = 0

    @property
    def rows(self) -> int:
        """Rows in use."""
        return len(self.lengths)

    @property
    def width(self) -> int:
        """Columns in use: the longest row."""
        return self.stop - self.start

    def mask(self, device: torch.device) -> Tensor:
        """Attention mask (rows, width + 1) of the next step."""
        columns = torch.arange(self.width, -1, -1, device=device)
        return (columns <= torch.tensor(self.lengths, device=device)[:, None]).long()

    def reserve(self) -> None:
        """Make room for the next step's column."""
        if self.stop == self._columns:
            self._resize(self.rows, self.width + BLOCK)

    def advance(self) -> None:
        """The step's column is written: every row is one longer."""
        self.stop += 1
        self.lengths = [length + 1 for length in self.lengths]

    def append(self, prompts: DynamicCache, lengths: list[int]) -> None:
        """Add rows from a left-padded prompt pass over prompts of these lengths. Raises UnsupportedModelError."""
        if not all(type(layer) is DynamicLayer for layer in prompts.layers):
            raise UnsupportedModelError(
                "the transformers engine needs a model whose layers all attend to a plain KV cache; "
                "use SRGenLogitsProcessor with model.generate for this one"
            )
        if not self.layers:
            self.layers = [_Layer(self, layer.keys[:0], layer.values[:0]) for layer in prompts.layers]
        first, width = self.rows, max([self.width, *lengths])
        if first + len(lengths) > self._capacity or width > self.stop or self.stop == self._columns:
            self._resize(first + len(lengths), width + BLOCK, width)
        for layer, prompt in zip(self.layers, prompts.layers, strict=True):
            for storage, state in zip(layer.storage, (prompt.keys, prompt.values), strict=True):
                for row, length in enumerate(lengths):
                    storage[first + row, :, self.stop - length : self.stop] = state[row, :, -length:]
        self.lengths += lengths
        self.start = self.stop - max(self.lengths)

    def remove(self, row: int) -> None:
        """End a row; the last row takes its place."""
        last = self.rows - 1
        if row != last:
            window = slice(self.stop - self.lengths[last], self.stop)
            for layer in self.layers:
                for storage in layer.storage:
                    storage[row, :, window] = storage[last, :, window]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        self.start = self.stop - max(self.lengths, default=0)

    @property
    def _capacity(self) -> int:
        return self.layers[0].storage[0].shape[0] if self.layers else 0

    @property
    def _columns(self) -> int:
        return self.layers[0].storage[0].shape[2] if self.layers else 0

    def _resize(self, rows: int, columns: int, stop: int | None = None) -> None:
        """Storage for so many rows and columns, the window moved to end at `stop` (default: its width)."""
        stop = self.width if stop is None else stop
        start = stop - self.width
        for layer in self.layers:
            moved = []
            for storage in layer.storage:
                # Zeros: a masked column's weight is 0, and 0 * NaN would not be.
                larger = storage.new_zeros((max(rows, self._capacity), storage.shape[1], columns, storage.shape[3]))
                larger[: self.rows, :, start:stop] = storage[: self.rows, :, self.start : self.stop]
                moved.append(larger)
            layer.storage = (moved[0], moved[1])
        self.start, self.stop = start, stop

"""Keys and values of rows of different lengths: right-aligned in storage that is written in place.

Column `stop` is where every row's next token goes; a row of which n tokens are kept has columns stop - n .. stop. A row
that ends is replaced by the last one; a new row's prompt is copied in. Nothing is reallocated per step. A layer with a
sliding window keeps the window's columns only.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import cache_utils

BLOCK = 256
"""Columns that storage grows by."""
HELD = (
    cache_utils.DynamicLayer,
    cache_utils.DynamicSlidingWindowLayer,
    cache_utils.LinearAttentionAndFullAttentionLayer,
    cache_utils.LinearAttentionAndSlidingWindowAttentionLayer,
)
"""Cache layers of transformers whose tokens are columns."""
NAMES = ("keys", "values", "_sliding_window_tensor")
"""Their attributes that are held here, or say nothing of the rows."""


class Columns:
    """The layers that keep the same columns: the last `limit` of each row, or all of them."""

    def __init__(self, limit: int | None) -> None:
        self.layers: list[Any] = []
        self.lengths: list[int] = []
        """Tokens of each row, those that are no longer kept included."""
        self.start = 0
        self.stop = 0
        self._limit = limit

    @property
    def rows(self) -> int:
        """Rows in use."""
        return len(self.lengths)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(self.lengths, default=0)

    @property
    def width(self) -> int:
        """Columns in use."""
        return self.stop - self.start

    def write(self, storage: Tensor, state: Tensor) -> Tensor:
        """Write the step's column (rows, heads, 1, size); the window that includes it."""
        storage[: self.rows, :, self.stop : self.stop + 1] = state
        return storage[: self.rows, :, self.start : self.stop + 1]

    def reserve(self) -> None:
        """Make room for the next step's column."""
        if self.stop == self._capacity[1]:
            self._resize(self.rows, self.width + BLOCK)

    def advance(self) -> None:
        """The step's column is written: every row is one longer."""
        self.stop += 1
        self.lengths = [length + 1 for length in self.lengths]
        self._fit()

    def append(self, prompts: list[list[Tensor]], lengths: list[int]) -> None:
        """Add rows from left-padded prompts: of each layer its tensors (n, heads, columns, size)."""
        for layer, tensors in zip(self.layers, prompts, strict=True):
            layer.storage = layer.storage or [tensor[:0] for tensor in tensors]
        first, kept = self.rows, [self._kept(length) for length in lengths]
        capacity, columns = self._capacity
        width = max([self.width, *kept])
        if first + len(lengths) > capacity or width > self.stop or self.stop == columns:
            self._resize(first + len(lengths), width + BLOCK, width)
        for layer, tensors in zip(self.layers, prompts, strict=True):
            for storage, tensor in zip(layer.storage, tensors, strict=True):
                for row, count in enumerate(kept):
                    storage[first + row, :, self.stop - count : self.stop] = tensor[row, :, tensor.shape[2] - count :]
        self.lengths += lengths
        self._fit()

    def copy(self, row: int) -> list[list[Tensor]]:
        """Of each layer, a row's tensors (1, heads, columns, size), as `append` takes them."""
        window = slice(self.stop - self._kept(self.lengths[row]), self.stop)
        return [[storage[row : row + 1, :, window].clone() for storage in layer.storage] for layer in self.layers]

    def remove(self, row: int) -> None:
        """End a row; the last row takes its place."""
        last = self.rows - 1
        if row != last:
            window = slice(self.stop - self._kept(self.lengths[last]), self.stop)
            for layer in self.layers:
                for storage in layer.storage:
                    storage[row, :, window] = storage[last, :, window]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        self._fit()

    @property
    def _capacity(self) -> tuple[int, int]:
        """Rows and columns that there is storage for."""
        shape = self.layers[0].storage[0].shape
        return shape[0], shape[2]

    def _kept(self, length: int) -> int:
        return length if self._limit is None else min(length, self._limit)

    def _fit(self) -> None:
        self.start = self.stop - self._kept(self.longest)

    def _resize(self, rows: int, columns: int, stop: int | None = None) -> None:
        """Storage for so many rows and columns, the window moved to end at `stop` (default: its width)."""
        stop = self.width if stop is None else stop
        start = stop - self.width
        rows = max(rows, self._capacity[0])
        for layer in self.layers:
            moved = []
            for storage in layer.storage:
                # Zeros: a masked column's weight is 0, and 0 * NaN would not be.
                larger = storage.new_zeros((rows, storage.shape[1], columns, storage.shape[3]))
                larger[: self.rows, :, start:stop] = storage[: self.rows, :, self.start : self.stop]
                moved.append(larger)
            layer.storage = moved
        self.start, self.stop = start, stop


class _InColumns:
    """What changes in a cache layer of transformers whose tokens lie in columns; the rest stays the layer's own."""

    columns: Columns
    storage: list[Tensor]
    """Keys and values, each (rows, heads, columns, size)."""

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write one new column; the windows that include it."""
        keys, values = self.storage
        return self.columns.write(keys, key_states), self.columns.write(values, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(key length, key offset) for the mask of a step."""
        return self.columns.width + query_length, self.columns.longest - self.columns.width

    def get_seq_length(self) -> int:
        """Tokens before the step, of the longest row."""
        return self.columns.longest


def is_held(layer: Any) -> bool:
    """Whether a layer's tokens are columns, and it has some."""
    known = type(layer) in HELD or hasattr(layer, "columns")
    return known and bool(layer.is_initialized) and limit_of(layer) != 0


def limit_of(layer: Any) -> int | None:
    """The most columns that a layer keeps between steps."""
    return layer.sliding_window - 1 if layer.is_sliding else None


def hold(layer: Any, columns: Columns) -> None:
    """Let a layer of a prompt's own cache keep its tokens in columns from now on."""
    layer.__class__ = _held_class(type(layer))
    layer.columns, layer.storage = columns, []
    layer.keys = layer.values = None
    columns.layers.append(layer)


def _held_class(layer_class: type) -> type:
    if layer_class not in _held_classes:
        # One base only: an object's class can be changed to one of the same layout.
        methods = {name: value for name, value in vars(_InColumns).items() if callable(value)}
        namespace = {**methods, "_layer_type": None}
        _held_classes[layer_class] = type(f"{layer_class.__name__}InColumns", (layer_class,), namespace)
    return _held_classes[layer_class]


_held_classes: dict[type, type] = {}

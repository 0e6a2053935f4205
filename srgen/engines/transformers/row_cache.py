"""What a model's layers keep of a batch whose rows come and go: keys and values, and states of any other kind.

The cache that the model's own prompt pass returns is kept as it is, and what lies in it is moved to storage of ours:
tokens of attention layers to columns (columns.py), every other tensor to one slot a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, CacheLayerMixin

from srgen.engines.transformers.columns import NAMES, Columns, hold, is_held, limit_of
from srgen.errors import UnsupportedModelError


class RowCache:
    """The layers' state of the rows in flight; starts with no row."""

    def __init__(self) -> None:
        self.state: Any = None
        """The model's own cache, to be given to its next pass."""
        self.lengths: list[int] = []
        self._columns: dict[int | None, Columns] = {}
        """By the most columns that a layer keeps; None for all."""
        self._slots: list[Tensor] = []
        """Of each state that is not columns, (capacity, ...)."""
        self._places: list[_Place] = []
        """Where the model's cache has those states: views of the slots' first rows."""

    @property
    def rows(self) -> int:
        """Rows in use."""
        return len(self.lengths)

    @property
    def attention_only(self) -> bool:
        """Whether the model keeps keys and values and nothing else."""
        return bool(self._columns) and not self._slots

    def mask(self, device: torch.device) -> Tensor | None:
        """Attention mask (rows, longest + 1) of the next step; None for a model without attention."""
        if not self._columns:
            return None
        columns = torch.arange(max(self.lengths), -1, -1, device=device)
        return (columns <= torch.tensor(self.lengths, device=device)[:, None]).long()

    def reserve(self) -> None:
        """Make room for the next step's column."""
        for columns in self._columns.values():
            columns.reserve()

    def advance(self, state: Any) -> None:
        """The step's pass is done, and returned `state`: every row is one longer."""
        self.lengths = [length + 1 for length in self.lengths]
        for columns in self._columns.values():
            columns.advance()
        if self._slots:
            self._take_back(state)

    def append(self, state: Any, lengths: list[int]) -> None:
        """Add rows: the state after a pass over prompts of these lengths, left-padded.

        Raises UnsupportedModelError where it is of a kind that cannot be held by rows.
        """
        prompts = _column_tensors(state)
        places = list(_row_states(state))
        if any(place.tensor.ndim == 0 or place.tensor.shape[0] != len(lengths) for place in places):
            raise UnsupportedModelError("what the model's layers keep of a batch is not kept by rows")
        if self.state is None:
            self._adopt(state, places)
        self._add(_Rows(lengths, prompts, [place.tensor for place in places]))

    def take(self, row: int) -> Any:
        """A row's state, copied; the row leaves, and the last one takes its place."""
        columns = {limit: columns.copy(row) for limit, columns in self._columns.items()}
        taken = _Rows([self.lengths[row]], columns, [slot[row : row + 1].clone() for slot in self._slots])
        self.remove(row)
        return taken

    def put(self, taken: Any) -> None:
        """A row that was taken is there again, as the last one."""
        self._add(taken)

    def _add(self, new: _Rows) -> None:
        for limit, columns in self._columns.items():
            columns.append(new.columns[limit], new.lengths)
        for index, tensor in enumerate(new.slots):
            self._slots[index] = _with_rows(self._slots[index], self.rows, tensor)
        self.lengths += new.lengths
        self._point()

    def remove(self, row: int) -> None:
        """End a row; the last row takes its place."""
        last = self.lengths.pop()
        if row < self.rows:
            self.lengths[row] = last
            for slot in self._slots:
                slot[row] = slot[self.rows]
        for columns in self._columns.values():
            columns.remove(row)
        self._point()

    def _adopt(self, state: Any, places: list[_Place]) -> None:
        """Make the first prompts' cache the batch's own."""
        self.state = state
        for layer in _layers(state):
            if is_held(layer):
                limit = limit_of(layer)
                hold(layer, self._columns.setdefault(limit, Columns(limit)))
        self._places = places
        self._slots = [place.tensor[:0] for place in places]

    def _take_back(self, state: Any) -> None:
        """Copy what the model replaced, instead of writing in place, to the slots."""
        places = list(_row_states(state))
        for place, own in zip(places, self._places, strict=True):
            if place.tensor is not own.tensor:
                if place.tensor.shape != own.tensor.shape:
                    raise UnsupportedModelError("what the model's layers keep of each row grows with its text")
                own.tensor.copy_(place.tensor)
                place.owner[place.key] = own.tensor
        self.state = state
        self._places = [
            _Place(place.owner, place.key, own.tensor) for place, own in zip(places, self._places, strict=True)
        ]

    def _point(self) -> None:
        """Give the model's cache the rows that are in use."""
        for index, (slot, place) in enumerate(zip(self._slots, self._places, strict=True)):
            view = slot[: self.rows]
            place.owner[place.key] = view
            self._places[index] = _Place(place.owner, place.key, view)


class _Rows(NamedTuple):
    """The state of n rows apart from the cache."""

    lengths: list[int]
    columns: dict[int | None, list[list[Tensor]]]
    """By the most columns that is kept, each layer's tensors (n, heads, columns, size)."""
    slots: list[Tensor]
    """Every other state, (n, ...)."""


class _Place(NamedTuple):
    """A tensor with one entry a row, and where the model's cache has it."""

    owner: Any
    """A list, or a dictionary (an object's attributes)."""
    key: Any
    tensor: Tensor


def _layers(state: Any) -> list[Any]:
    return list(state.layers) if isinstance(state, Cache) else []


def _column_tensors(state: Any) -> dict[int | None, list[list[Tensor]]]:
    """By the most columns that is kept, what each attention layer of a prompt's cache keeps of its tokens."""
    found: dict[int | None, list[list[Tensor]]] = {}
    for layer in _layers(state):
        if is_held(layer):
            found.setdefault(limit_of(layer), []).append([layer.keys, layer.values])
        elif isinstance(layer, CacheLayerMixin) and layer.is_initialized:
            raise UnsupportedModelError(f"a cache layer of the kind {type(layer).__name__} cannot be held by rows")
    return found


def _row_states(node: Any) -> Iterator[_Place]:
    """Every tensor in a cache but for the tokens of its attention layers, in an order that stays."""
    owner = node if isinstance(node, dict | list) else vars(node)
    for key, value in list(owner.items()) if isinstance(owner, dict) else list(enumerate(owner)):
        if isinstance(value, tuple) and any(isinstance(item, Tensor) for item in value):
            owner[key] = list(value)
        entry = owner[key]
        if isinstance(node, CacheLayerMixin) and key in (*NAMES, "columns", "storage"):
            continue
        if isinstance(entry, Tensor):
            yield _Place(owner, key, entry)
        elif isinstance(entry, dict | list) or _is_part(entry):
            yield from _row_states(entry)


def _is_part(value: Any) -> bool:
    """Whether an object is one of transformers' caches or a layer of one."""
    module = type(value).__module__
    ours = module.startswith(("transformers.", __package__ or "transformers."))
    return ours and hasattr(value, "__dict__") and not isinstance(value, PreTrainedConfig | type)


def _with_rows(slot: Tensor, rows: int, tensor: Tensor) -> Tensor:
    """A slot with the tensor's rows after its first `rows`; larger where it had no room for them."""
    last = rows + tensor.shape[0]
    if slot.shape[0] < last:
        larger = slot.new_zeros((last, *slot.shape[1:]))
        larger[:rows] = slot[:rows]
        slot = larger
    slot[rows:last] = tensor
    return slot

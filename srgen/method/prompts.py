"""The contexts of prompts: samples of one question share theirs, and nothing of one is computed before a reflection."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from srgen.method.context import ContextStore, ExactStore
from srgen.method.paging import product_rows
from srgen.method.readout import Readout
from srgen.method.rows import Rows

IDLE = 4
"""Prompts whose last sample has ended that are kept for the question's next one."""


@dataclass(slots=True)
class HiddenRows:
    """Rows of a context that wait as hidden states: n of (d,), and the n tokens that followed."""

    parts: list[tuple[Tensor, list[int]]] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(len(labels) for _, labels in self.parts)

    def add(self, hidden: Tensor, labels: Sequence[int], masked: frozenset[int], device: torch.device) -> None:
        """Add rows (n, d) and their n labels, but for those with a masked label."""
        kept = [i for i, label in enumerate(labels) if label not in masked]
        # Indexing copies, so that the rest of a padded batch is not kept alive.
        rows = hidden[torch.tensor(kept, dtype=torch.int64, device=hidden.device)].to(device)
        self.parts.append((rows, [labels[i] for i in kept]))

    def move_to(self, store: ContextStore, slot: int, readout: Readout) -> None:
        """Append all rows to a slot, in chunks of bounded size; none are left."""
        size = product_rows(readout.device, readout.vocabulary)
        for hidden, labels in self.parts:
            for start in range(0, len(labels), size):
                rows, chunk = hidden[start : start + size], labels[start : start + size]
                # The exact store computes logits rows when it needs them.
                logits = None if isinstance(store, ExactStore) else readout.logits(rows)
                targets = torch.tensor(chunk, device=readout.device)
                store.append([slot] * len(chunk), targets, Rows(rows, logits))
        self.parts.clear()


@dataclass(slots=True)
class Prompt:
    """The rows of one prompt, in a slot of their own that the slots of its samples begin with."""

    key: Hashable
    store: ContextStore
    slot: int
    rows: HiddenRows = field(default_factory=HiddenRows)
    masked: frozenset[int] = frozenset()
    """Labels whose rows are left out."""
    known: int = 0
    """Positions whose rows have been seen: all before this one."""
    users: int = 0
    """Samples in flight."""

    def read(self, start: int, hidden: Tensor, labels: Sequence[int], device: torch.device) -> None:
        """Rows at positions start, start + 1, ... of one sample's pass: hidden (n, d), and the n tokens that followed.

        Those that another sample's pass has brought already keep the states that they came with first.
        """
        new = max(0, self.known - start)
        if new < len(labels):
            self.rows.add(hidden[new:], labels[new:], self.masked, device)
            self.known = start + len(labels)


class SharedPrompts:
    """The prompts in use, and the last few that were."""

    def __init__(self) -> None:
        self._prompts: dict[Hashable, Prompt] = {}

    def use(self, store: ContextStore, tokens: Sequence[int], masked: frozenset[int], variant: Hashable) -> Prompt:
        """The prompt of one more sample, which shares it with those of the same tokens and variant."""
        key = (id(store), tuple(tokens), masked, variant)
        prompt = self._prompts.pop(key, None)
        if prompt is None:
            prompt = Prompt(key, store, store.open(), masked=masked)
        self._prompts[key] = prompt  # at the end: the newest goes last
        prompt.users += 1
        return prompt

    def release(self, prompt: Prompt) -> None:
        """One sample fewer; the idle prompt that was used longest ago makes room."""
        prompt.users -= 1
        idle = [other for other in self._prompts.values() if not other.users]
        for other in idle[: max(0, len(idle) - IDLE)]:
            other.store.close(other.slot)
            del self._prompts[other.key]

"""One forward pass for all rows, whatever their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from srgen.engines.transformers.forward import Forward
from srgen.engines.transformers.passes import Admitted, Stepped
from srgen.engines.transformers.row_cache import RowCache

PREFILL_TOKENS = 16384
"""Bound of one prompt pass, rows times the longest prompt."""


class BatchedPasses:
    """All rows in one pass. Raises UnsupportedModelError for a model that keeps what cannot be held by rows."""

    manner = "all rows in one pass"

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._cache = RowCache()
        self._pads = False
        """Whether prompts of different lengths may share a pass, which the first pass of all tells."""

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """See Passes.groups: passes of bounded size, similar lengths together so that little is padding."""
        found: list[list[int]] = []
        for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
            fits = bool(found) and (len(found[-1]) + 1) * lengths[index] <= PREFILL_TOKENS
            if fits and (self._pads or lengths[found[-1][0]] == lengths[index]):
                found[-1].append(index)
            else:
                found.append([index])
        return found

    def admit(self, prompts: Sequence[Sequence[int]]) -> Admitted:
        """See Passes.admit."""
        lengths = [len(prompt) for prompt in prompts]
        width, device = max(lengths), self._forward.device
        padded = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        columns = torch.arange(width, 0, -1, device=device)
        mask = (columns <= torch.tensor(lengths, device=device)[:, None]).long()
        done = self._forward(
            input_ids=torch.tensor(padded, device=device),
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp_min(0),
            use_cache=True,
        )
        self._name, state = self._forward.state(done.output)
        self._cache.append(state, lengths)
        # Padding is invisible to attention only: a recurrent state would have run over it.
        self._pads = self._cache.attention_only
        hidden = [done.hidden[row, width - length :] for row, length in enumerate(lengths)]
        return Admitted(done.logits, hidden)

    def step(self, tokens: Sequence[int]) -> Stepped:
        """See Passes.step."""
        device = self._forward.device
        self._cache.reserve()
        done = self._forward(
            input_ids=torch.tensor([[token] for token in tokens], device=device),
            attention_mask=self._cache.mask(device),
            position_ids=torch.tensor(self._cache.lengths, device=device)[:, None],
            use_cache=True,
            **{self._name: self._cache.state},
        )
        self._cache.advance(getattr(done.output, self._name))
        return Stepped(done.logits, done.hidden[:, -1])

    def remove(self, row: int) -> None:
        """See Passes.remove."""
        self._cache.remove(row)

    def take(self, row: int) -> Any:
        """See Passes.take."""
        return self._cache.take(row)

    def put(self, taken: Any) -> None:
        """See Passes.put."""
        self._cache.put(taken)

    def clear(self) -> None:
        """See Passes.clear."""
        self._cache = RowCache()

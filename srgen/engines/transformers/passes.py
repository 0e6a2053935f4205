"""How a batch is taken through the model: rows are admitted with their prompts, stepped together, and removed.

`BatchedPasses` (batched_passes.py) runs one pass for all rows. The two here are slower and need less of a model: each
row by itself with the model's own cache, as `model.generate` runs it, or the whole text again at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from srgen.engines.transformers.forward import Forward


class Admitted(NamedTuple):
    """A prompt pass over n rows."""

    logits: Tensor
    """Of each row's last position, (n, V), float32."""
    hidden: list[Tensor]
    """Of each row, the last hidden states (length, d) of its prompt."""


class Stepped(NamedTuple):
    """A step of n rows: logits (n, V), float32, and last hidden states (n, d)."""

    logits: Tensor
    hidden: Tensor


class Passes(Protocol):
    """The rows of one model in flight. Rows have indices; a row that is removed is replaced by the last one."""

    @property
    def manner(self) -> str:
        """How the rows are run, for a sentence."""
        ...

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Indices of new prompts of these lengths, by the pass that each will be in, in the order of the passes."""
        ...

    def admit(self, prompts: Sequence[Sequence[int]]) -> Admitted:
        """Run one group's prompts (token ids); their rows come after those that are there."""
        ...

    def step(self, tokens: Sequence[int]) -> Stepped:
        """One more token for every row."""
        ...

    def remove(self, row: int) -> None:
        """End a row; the last row takes its place."""
        ...

    def take(self, row: int) -> Any:
        """What the passes keep of a row, which leaves; the last row takes its place."""
        ...

    def put(self, taken: Any) -> None:
        """A row that was taken goes on, as the last one."""
        ...

    def clear(self) -> None:
        """End every row."""
        ...


class WholePasses:
    """The whole text again at every step, row by row: nothing is kept, so nothing can be kept wrongly."""

    manner = "its whole text again for every token"

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._texts: list[list[int]] = []

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """See Passes.groups: one at a time."""
        return [[index] for index in range(len(lengths))]

    def admit(self, prompts: Sequence[Sequence[int]]) -> Admitted:
        """See Passes.admit."""
        (prompt,) = prompts
        self._texts.append(list(prompt))
        whole = self._run(self._texts[-1])
        return Admitted(whole.logits, [whole.hidden[0]])

    def step(self, tokens: Sequence[int]) -> Stepped:
        """See Passes.step."""
        for text, token in zip(self._texts, tokens, strict=True):
            text.append(token)
        whole = [self._run(text) for text in self._texts]
        return Stepped(torch.cat([row.logits for row in whole]), torch.cat([row.hidden[:, -1] for row in whole]))

    def remove(self, row: int) -> None:
        """See Passes.remove."""
        self.take(row)

    def take(self, row: int) -> Any:
        """See Passes.take."""
        return _taken(self._texts, row)

    def put(self, taken: Any) -> None:
        """See Passes.put."""
        self._texts.append(taken)

    def clear(self) -> None:
        """See Passes.clear."""
        self._texts = []

    def _run(self, text: list[int]) -> Any:
        ids = torch.tensor([text], device=self._forward.device)
        return self._forward(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)


class SeparatePasses:
    """Each row by itself, with the model's own cache and its own preparation of a step's inputs, as in `generate`."""

    manner = "row by row, as model.generate runs it"

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._rows: list[tuple[Tensor, dict[str, Any]]] = []
        """Of each row its text (1, n), and the arguments that `generate` would carry to the next step."""

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """See Passes.groups: one at a time."""
        return [[index] for index in range(len(lengths))]

    def admit(self, prompts: Sequence[Sequence[int]]) -> Admitted:
        """See Passes.admit."""
        (prompt,) = prompts
        ids = torch.tensor([list(prompt)], device=self._forward.device)
        carried: dict[str, Any] = {"attention_mask": torch.ones_like(ids), "use_cache": True}
        if self._forward.takes("position_ids"):
            carried["position_ids"] = torch.arange(ids.shape[1], device=ids.device)[None]
        done = self._run(ids, carried, first=True)
        self._rows.append((ids, carried))
        return Admitted(done.logits, [done.hidden[0]])

    def step(self, tokens: Sequence[int]) -> Stepped:
        """See Passes.step."""
        done = []
        for row, token in enumerate(tokens):
            text, carried = self._rows[row]
            ids = torch.cat([text, text.new_tensor([[token]])], dim=1)
            done.append(self._run(ids, carried, first=False))
            self._rows[row] = (ids, carried)
        return Stepped(torch.cat([row.logits for row in done]), torch.cat([row.hidden[:, -1] for row in done]))

    def remove(self, row: int) -> None:
        """See Passes.remove."""
        self.take(row)

    def take(self, row: int) -> Any:
        """See Passes.take."""
        return _taken(self._rows, row)

    def put(self, taken: Any) -> None:
        """See Passes.put."""
        self._rows.append(taken)

    def clear(self) -> None:
        """See Passes.clear."""
        self._rows = []

    def _run(self, ids: Tensor, carried: dict[str, Any], *, first: bool) -> Any:
        model = self._forward.model
        inputs = model.prepare_inputs_for_generation(
            ids, next_sequence_length=None if first else 1, is_first_iteration=first, **carried
        )
        done = self._forward(**inputs)
        self._forward.state(done.output)
        carried.update(model._update_model_kwargs_for_generation(done.output, dict(carried)))
        return done


def _taken(rows: list[Any], row: int) -> Any:
    """A row, which leaves the list; the last one takes its place."""
    taken, last = rows[row], rows.pop()
    if row < len(rows):
        rows[row] = last
    return taken

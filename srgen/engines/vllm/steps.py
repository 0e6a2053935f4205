"""What vLLM's two model runners know of a step between its forward pass and sampling, in one form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Segment:
    """A request's part of one step; its row of the logits is its index among the segments."""

    key: str
    start: int
    """Position of its first token in the sequence."""
    first: int
    """Row of that token in the step's tensors."""
    count: int
    samples: bool
    """The last row's logits become a token; False for a chunk that ends within the known tokens."""

    @property
    def position(self) -> int:
        """Position of its last token in the sequence."""
        return self.start + self.count - 1

    @property
    def last(self) -> int:
        """Row of its last token in the step's tensors."""
        return self.first + self.count - 1


@dataclass(frozen=True, slots=True)
class Step:
    """What a forward pass was over: n scheduled tokens (n,) and their last hidden states (n, d)."""

    segments: tuple[Segment, ...]
    tokens: Tensor
    hidden: Tensor


def v1_step(runner: Any, state: Any) -> Step:
    """The step of vllm.v1.worker.gpu_model_runner (the CPU's too): its batch lies in the runner."""
    keys = runner.input_batch.req_ids
    scheduled = state.scheduler_output.num_scheduled_tokens
    return _step(
        keys,
        starts=runner.input_batch.num_computed_tokens_cpu[: len(keys)].tolist(),
        counts=[scheduled[key] for key in keys],
        samples=[not dropped for dropped in runner.discard_request_mask.np[: len(keys)].tolist()],
        tokens=runner.input_ids.gpu,
        hidden=state.hidden_states,
    )


@contextmanager
def v1_without_discarded_draws(runner: Any) -> Iterator[None]:
    """While it lasts, rows of the V1 runner whose token will be dropped are not drawn from their own generators.

    vLLM draws for them too and winds their generators back, which a CPU's cannot do: a seeded request whose prompt is
    cut into chunks, or that was preempted, would end the engine. Kept out of the draw, they need no winding back.
    """
    batch = runner.input_batch
    dropped = np.flatnonzero(runner.discard_request_mask.np[: batch.num_reqs]).tolist()
    taken = {row: batch.generators.pop(row) for row in dropped if row in batch.generators}
    try:
        yield
    finally:
        batch.generators.update(taken)


def v2_step(state: Any) -> Step:
    """The step of vllm.v1.worker.gpu.model_runner: its batch travels with the state."""
    batch = state.input_batch
    starts, counts = batch.num_computed_tokens_np.tolist(), batch.num_scheduled_tokens.tolist()
    lengths = batch.prefill_len_np.tolist()
    return _step(
        batch.req_ids,
        starts=starts,
        counts=counts,
        samples=[start + count >= known for start, count, known in zip(starts, counts, lengths, strict=True)],
        tokens=batch.input_ids,
        hidden=state.hidden_states,
    )


def _step(
    keys: list[str], *, starts: list[int], counts: list[int], samples: list[bool], tokens: Any, hidden: Any
) -> Step:
    """Segments lie one after another; tokens and hidden states may be padded at the end."""
    firsts = accumulate(counts, initial=0)
    segments = tuple(map(Segment, keys, starts, firsts, counts, samples))
    total = sum(counts)
    return Step(segments, tokens[:total], hidden[:total])

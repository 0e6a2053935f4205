"""The two model runners' states of one batch: a chunk of a prompt, the end of a prompt, and a decode step."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from srgen.engines.vllm.steps import Segment, Step, v1_step, v1_without_discarded_draws, v2_step

KEYS = ["chunk", "end", "decode"]
STARTS = np.array([0, 4, 9], dtype=np.int32)
COUNTS = np.array([3, 2, 1], dtype=np.int32)
KNOWN = np.array([8, 6, 10], dtype=np.int32)
"""Tokens that each request has."""
TOKENS = torch.arange(8, dtype=torch.int32)
"""Two of them are padding."""
HIDDEN = torch.randn(8, 4)
SEGMENTS = (Segment("chunk", 0, 0, 3, False), Segment("end", 4, 3, 2, True), Segment("decode", 9, 5, 1, True))


def check(step: Step) -> None:
    assert step.segments == SEGMENTS
    assert step.tokens.tolist() == [0, 1, 2, 3, 4, 5]
    assert torch.equal(step.hidden, HIDDEN[:6])


def test_v1() -> None:
    mask = np.zeros(16, dtype=bool)
    mask[:3] = STARTS + COUNTS < KNOWN
    starts = np.zeros(16, dtype=np.int32)
    starts[:3] = STARTS
    runner = SimpleNamespace(
        input_batch=SimpleNamespace(req_ids=KEYS, num_computed_tokens_cpu=starts),
        discard_request_mask=SimpleNamespace(np=mask),
        input_ids=SimpleNamespace(gpu=TOKENS),
    )
    # vLLM's mapping is not in the batch's order.
    scheduled = {"decode": 1, "chunk": 3, "end": 2}
    output = SimpleNamespace(num_scheduled_tokens=scheduled)
    check(v1_step(runner, SimpleNamespace(scheduler_output=output, hidden_states=HIDDEN)))


def test_v2() -> None:
    batch = SimpleNamespace(
        req_ids=KEYS,
        num_computed_tokens_np=STARTS,
        num_scheduled_tokens=COUNTS,
        # The decoding request was filled with 7 tokens and has generated since.
        prefill_len_np=np.array([8, 6, 7], dtype=np.int32),
        input_ids=TOKENS,
    )
    check(v2_step(SimpleNamespace(input_batch=batch, hidden_states=HIDDEN)))


def test_a_dropped_token_draws_nothing() -> None:
    generators = {row: torch.Generator().manual_seed(row) for row in (0, 2, 3)}
    runner = SimpleNamespace(
        # The third place is empty: its mask is left from another batch.
        input_batch=SimpleNamespace(generators=dict(generators), num_reqs=3),
        discard_request_mask=SimpleNamespace(np=np.array([True, True, False, True])),
    )
    with pytest.raises(RuntimeError), v1_without_discarded_draws(runner):
        assert set(runner.input_batch.generators) == {2, 3}
        raise RuntimeError
    assert runner.input_batch.generators == generators

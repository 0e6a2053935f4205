"""Architectures of every kind of state against `model.generate`; `scripts/models_table.py` walks the whole list."""

from __future__ import annotations

import pytest
from architectures import check

BATCHED = {
    "bamba": "recurrent states beside attention",
    "gemma3_text": "sliding windows beside full attention",
    "gpt_oss": "experts and sinks",
    "lfm2": "convolutions",
    "llama4_text": "chunks of attention, and a decoder that has to be looked for",
    "mamba2": "no attention at all",
    "qwen3_5_text": "a gated delta rule",
    "deepseek_v3": "latent attention",
}
SLOWER = {
    "deepseek_v32": "by rows",
    "falcon_h1": "by rows",
    "minimax": "by rows",
    "recurrent_gemma": "whole texts",
    "rwkv": "by rows",
}


@pytest.mark.parametrize("architecture", [*BATCHED, *SLOWER])
def test_tokens_and_reflections_are_those_of_generate(architecture: str) -> None:
    found = check(architecture)
    assert found.manner == SLOWER.get(architecture, "batched")
    assert found.plain
    assert found.exact
    assert found.sketch
    assert found.distinct >= 8
    assert found.reflections >= 10


@pytest.mark.parametrize("architecture", ["bert", "modernbert-decoder"])
def test_a_head_that_is_not_linear_is_decoded_plainly(architecture: str) -> None:
    found = check(architecture)
    assert found.plain
    assert found.exact is None
    assert "not those of a linear head" in found.note

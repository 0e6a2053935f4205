"""The compiled decoding step."""

from __future__ import annotations

import random
import shutil

import pytest
import torch
from tiny_models import ByteTokenizer, tiny_model

from srgen import Request, Sampling, SRGenConfig
from srgen.engines import kv_cache
from srgen.engines.transformers import TransformersEngine

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="compiling for a CPU needs g++")


def test_compiled_once_for_all_lengths_and_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kv_cache, "BLOCK", 16)
    config = SRGenConfig(adaptive_entropy=False, entropy_threshold=3.0, max_retries=100)
    draw = random.Random(0)
    requests = [
        Request(
            id=str(i),
            prompt=tuple(draw.randrange(2, 150) for _ in range(draw.randint(2, 24))),
            sampling=Sampling(max_new_tokens=10 + 7 * i),
            seed=i,
            srgen=config if i % 2 else None,
            ignore_eos=True,
        )
        for i in range(7)
    ]
    model = tiny_model("llama")
    plain = {c.id: c for c in TransformersEngine(model, ByteTokenizer(), batch_size=3).generate(requests)}
    engine = TransformersEngine(model, ByteTokenizer(), batch_size=3, compiled=True)
    with torch._dynamo.config.patch(error_on_recompile=True):
        compiled = {c.id: c for c in engine.generate(requests)}
    assert {i: c.token_ids for i, c in compiled.items()} == {i: c.token_ids for i, c in plain.items()}
    positions = [[r.position for r in c.reflections] for c in compiled.values()]
    assert positions == [[r.position for r in plain[i].reflections] for i in compiled]
    assert any(positions)

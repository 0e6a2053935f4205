"""The engine over two ranks, each a process with half of the LM head, against the transformers engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from srgen import Completion, Request, Sampling, SRGenConfig
from srgen.demo_model import demo_folder
from srgen.engines import EngineConfig
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.vllm.engine import VLLMEngine
from srgen.engines.vllm.version import installed

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(installed() is None, reason="vLLM is not installed: run `bash scripts/test_vllm.sh`"),
]

SRGEN = SRGenConfig(adaptive_entropy=False, entropy_threshold=8.4, max_retries=8, lr=0.1)


def save_model(folder: Path) -> None:
    """A small random model, whose attention heads two ranks can share, with the demo model's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(demo_folder())
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.2,
        max_position_embeddings=256,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def by_id(completions: list[Completion]) -> list[Completion]:
    return sorted(completions, key=lambda completion: completion.id)


def test_two_ranks_give_the_transformers_engines_samples(demo_model: None, tmp_path: Path) -> None:
    save_model(tmp_path)
    work = [
        Request(
            id=str(index),
            prompt=tuple(range(100 * index + 17, 100 * index + 30 + 5 * index)),
            sampling=Sampling(do_sample=False, max_new_tokens=40),
            seed=index,
            srgen=SRGEN if index % 4 else None,
            ignore_eos=True,
        )
        for index in range(6)
    ]
    settings = {"model_path": str(tmp_path), "dtype": "float32", "batch_size": 4}
    reference = by_id(list(TransformersEngine.load(EngineConfig(device="cpu", **settings)).generate(work)))
    engine = VLLMEngine.load(EngineConfig(backend="vllm", tensor_parallel=2, max_model_len=256, **settings))
    try:
        found = by_id(list(engine.generate(work)))
    finally:
        engine.close()
    assert [completion.token_ids for completion in found] == [completion.token_ids for completion in reference]
    assert sum(len(completion.reflections) for completion in found) > 10
    for ours, theirs in zip(found, reference, strict=True):
        assert [r.position for r in ours.reflections] == [r.position for r in theirs.reflections]
        for one, other in zip(ours.reflections, theirs.reflections, strict=True):
            assert one.entropy_before == pytest.approx(other.entropy_before, abs=1e-3)
            assert one.entropy_after == pytest.approx(other.entropy_after, abs=1e-3)
            assert one.delta_norm == pytest.approx(other.delta_norm, rel=1e-3)

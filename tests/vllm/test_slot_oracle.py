"""SLOT, alone and with SRGen, inside vLLM on tiny models of three architectures, against autograd from the papers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config

from srgen import Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig
from srgen.engines.vllm.engine import VLLMEngine
from srgen.engines.vllm.version import installed
from srgen.methods.slot import Slot
from tests.tiny_models import COMMON, END, NEVER, PROMPTS, SRGEN, VOCABULARY, Shifted, reference_generate, slot_delta

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(installed() is None, reason="vLLM is not installed: run `bash scripts/test_vllm.sh`"),
]

# vLLM's attention on a CPU has heads of 32 numbers at least.
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 256,
}
CONFIGS = {
    "llama": LlamaConfig(**COMMON, **SIZES, tie_word_embeddings=False),
    "qwen2": Qwen2Config(**COMMON, **SIZES, tie_word_embeddings=True),
    # Small embeddings, which are also the head: with larger ones it would only repeat the last token.
    "gemma2": Gemma2Config(
        **COMMON | {"initializer_range": 0.06}, **SIZES, final_logit_softcapping=4.0, query_pre_attn_scalar=32
    ),
}
TOKENS = 24


@pytest.fixture(scope="module", params=list(CONFIGS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, VLLMEngine]]:
    """A tiny model for the oracle, and vLLM with the same one."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    config = CONFIGS[request.param]
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    model.save_pretrained(folder)
    save_tokenizer(folder)
    settings = EngineConfig(
        model_path=str(folder),
        backend="vllm",
        dtype="float32",
        batch_size=8,
        max_model_len=config.max_position_embeddings,
    )
    engine = VLLMEngine.load(settings, enforce_eager=True)
    yield model, engine
    engine.close()


def save_tokenizer(folder: Path) -> None:
    words = {f"w{token}": token for token in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="w0", eos_token=f"w{END}").save_pretrained(folder)


@pytest.mark.parametrize("srgen", [None, SRGEN], ids=["slot", "srgen+slot"])
def test_tokens_equal_autograd(pair: tuple[Any, VLLMEngine], srgen: SRGenConfig | None) -> None:
    model, engine = pair
    slot = Slot()
    expected = [
        reference_generate(Shifted(model, slot_delta(model, prompt, slot)), prompt, srgen or NEVER, TOKENS)
        for prompt in PROMPTS
    ]
    assert [reference_generate(model, prompt, NEVER, TOKENS).tokens for prompt in PROMPTS] != [
        reference.tokens for reference in expected
    ]
    for batch_size in (1, 8):
        engine.batch_size = batch_size
        work = [
            Request(
                id=f"{batch_size}/{index}",
                prompt=tuple(prompt),
                sampling=Sampling(do_sample=False, max_new_tokens=TOKENS),
                seed=index,
                srgen=srgen,
                methods=(slot,),
            )
            for index, prompt in enumerate(PROMPTS)
        ]
        found = sorted(engine.generate(work), key=lambda completion: completion.id)
        assert [list(completion.token_ids) for completion in found] == [reference.tokens for reference in expected]
        assert all(completion.reports["slot"]["delta_norm"] > 0 for completion in found)
        if srgen is not None:
            triggers = [[reflection.position for reflection in completion.reflections] for completion in found]
            assert triggers == [reference.triggers for reference in expected]
            assert any(triggers)

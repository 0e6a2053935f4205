"""What makes decoding fast must not change what is decoded: packed layers, attention and contexts without copies."""

from __future__ import annotations

import dataclasses
from unittest.mock import patch

import pytest
import torch
from test_generation import OFTEN, prompts, request
from tiny_models import ByteTokenizer, tiny_model
from torch import nn

from srgen import Completion, Request, Sampling
from srgen.engines.transformers import decode_attention
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.transformers.packed_linear import PackedLinear, pack_linears
from srgen.method.processor import SRGenProcessor

needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this build of torch has no oneDNN, so nothing is packed"
)


GREEDY = Sampling(do_sample=False, max_new_tokens=20)


def completions(model: object) -> dict[str, tuple[int, ...]]:
    """Greedy answers to prompts of different lengths, in one batch."""
    engine = TransformersEngine(model, ByteTokenizer(), batch_size=4)
    requests = [Request(id=str(i), prompt="abcdefghijklmnop"[: 3 + 4 * i], sampling=GREEDY, seed=i) for i in range(4)]
    found = {completion.id: completion.token_ids for completion in engine.generate(requests)}
    engine._loop.close()
    return found


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(24,), (1, 24), (3, 5, 24), (0, 24)])
def test_a_packed_layer_computes_the_same(shape: tuple[int, ...], bias: bool) -> None:
    linear = nn.Linear(24, 40, bias=bias)
    states = torch.randn(shape)
    with torch.inference_mode():
        packed = PackedLinear(linear, keep_weight=False)
        torch.testing.assert_close(packed(states), linear(states), atol=1e-5, rtol=1e-5)
    assert len(list(packed.parameters())) == bias
    torch.testing.assert_close(packed.weight, linear.weight)


@needs_onednn
def test_only_float32_layers_are_packed_and_the_head_keeps_its_weight() -> None:
    model = tiny_model("llama")
    model.model.layers[0].mlp.up_proj.to(torch.bfloat16)
    plain = model.get_output_embeddings().weight
    pack_linears(model)
    assert type(model.model.layers[0].mlp.up_proj) is nn.Linear
    assert isinstance(model.model.layers[1].mlp.up_proj, PackedLinear)
    assert model.get_output_embeddings().weight is plain


@pytest.mark.parametrize("name", ["llama", "qwen2", "gemma2", "gpt2"])
def test_packing_leaves_the_answers(name: str) -> None:
    model = tiny_model(name)
    expected = completions(model)
    pack_linears(model)
    assert completions(model) == expected


@pytest.mark.parametrize("mask", [None, "ragged"])
@pytest.mark.parametrize("length", [1, 3])
def test_grouped_attention_is_attention_over_repeated_keys(mask: str | None, length: int) -> None:
    module = tiny_model("llama").model.layers[0].self_attn
    query, key, value = torch.randn(2, 4, length, 8), torch.randn(2, 2, 9, 8), torch.randn(2, 2, 9, 8)
    visible = torch.arange(9) >= torch.tensor([[0], [4]])
    attention_mask = None if mask is None else visible[:, None, None].expand(-1, -1, length, -1)
    if mask is None:
        key, value = key[:, :, :length], value[:, :, :length]
    ours, theirs = (
        function(module, query, key, value, attention_mask, scaling=0.3)[0]
        for function in (decode_attention.grouped_sdpa, decode_attention.sdpa_attention_forward)
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_the_model_gets_its_attention_back(implementation: str) -> None:
    model = tiny_model("qwen2")
    model.set_attn_implementation(implementation)
    engine = TransformersEngine(model, ByteTokenizer())
    used = decode_attention.IMPLEMENTATION if implementation == "sdpa" else implementation
    assert model.config._attn_implementation == used
    engine._loop.close()
    assert model.config._attn_implementation == implementation


def test_attention_without_copies_leaves_the_answers() -> None:
    model = tiny_model("qwen2")
    expected = completions(model)
    model.set_attn_implementation("eager")
    assert completions(model) == expected


@pytest.mark.parametrize("reflection", ["support", "sketch"])
def test_probabilities_in_their_place_leave_the_reflections(reflection: str) -> None:
    """A step's rows are not copied into their contexts; prompts that a reflection fills in do not overwrite them."""
    model = tiny_model("llama")
    often = dataclasses.replace(OFTEN, reflection=reflection)

    def generate() -> list[Completion]:
        asked = [request(index, prompt, often, GREEDY) for index, prompt in enumerate(prompts(9))]
        engine = TransformersEngine(model, ByteTokenizer(), batch_size=4)
        found = sorted(engine.generate(asked), key=lambda completion: completion.id)
        engine.loop().close()
        return found

    with patch.object(SRGenProcessor, "room", lambda *_: None):
        copied = generate()
    with patch.object(SRGenProcessor, "room", autospec=True, side_effect=SRGenProcessor.room) as room:
        in_place = generate()
    assert room.called
    assert sum(len(completion.reflections) for completion in copied) > 18
    for one, other in zip(in_place, copied, strict=True):
        assert one.token_ids == other.token_ids
        assert one.reflections == other.reflections

"""A model is decoded only in a way that was seen to be right; a lost state is noticed before the first token."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest
import torch
from architectures import VOCABULARY, generated, tiny
from tiny_models import ByteTokenizer, tiny_model

from srgen import Request, Sampling, UnsupportedModelError
from srgen.engines.transformers import guard, row_cache
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.transformers.passes import SeparatePasses, WholePasses

HYBRID = "qwen3_5_text"


def passes_of(model: Any) -> str:
    engine = TransformersEngine(model, ByteTokenizer())
    name = type(engine.loop()._passes).__name__
    engine.loop().close()
    return name


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch's cache from now on loses one state of every model that keeps some."""
    complete = row_cache._row_states

    def incomplete(node: Any) -> Any:
        places = list(complete(node))
        for place in places[:1]:
            place.tensor.zero_()
        return iter(places)

    monkeypatch.setattr(row_cache, "_row_states", incomplete)


def test_a_hybrid_model_is_decoded_in_one_pass() -> None:
    assert passes_of(tiny(HYBRID)) == "BatchedPasses"


def test_a_lost_state_is_noticed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    model = tiny(HYBRID)
    forgetful(monkeypatch)
    with caplog.at_level(logging.WARNING):
        assert passes_of(model) == "SeparatePasses"
    (line,) = [record.getMessage() for record in caplog.records if record.name == guard.__name__]
    assert "Qwen3_5ForCausalLM" in line and "slower" in line


def test_lost_keys_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(row_cache.Columns):
        def remove(self, row: int) -> None:
            self.lengths[row] = self.lengths.pop()
            self._fit()

    monkeypatch.setattr(row_cache, "Columns", Forgetful)
    assert passes_of(tiny_model("llama")) == "SeparatePasses"


def test_a_model_that_nothing_decodes_right_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("llama")
    for cls in (SeparatePasses, WholePasses):
        monkeypatch.setattr(cls, "admit", lambda self, prompts: (_ for _ in ()).throw(ValueError("no")))
    monkeypatch.setattr(guard, "MANNERS", (SeparatePasses, WholePasses))
    with pytest.raises(UnsupportedModelError, match=r"LlamaForCausalLM \(llama\).*ValueError: no"):
        TransformersEngine(model, ByteTokenizer())
    assert not model.get_decoder()._forward_hooks
    assert model.config._attn_implementation == "sdpa"


def test_a_model_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("gpt2")
    passes_of(model)
    monkeypatch.setattr(guard, "_fastest", lambda *_: pytest.fail("checked again"))
    passes_of(model)


@pytest.mark.parametrize("manner", [SeparatePasses, WholePasses])
def test_the_slower_ways_give_the_same_tokens(manner: type, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = prompts(5)
    model = tiny_model("gemma2")
    model.generation_config.eos_token_id = None
    expected = [generated(model, prompt) for prompt in asked]
    monkeypatch.setattr(guard, "MANNERS", (manner,))
    assert tokens(TransformersEngine(model, ByteTokenizer(), batch_size=2), asked) == expected


def test_rows_of_a_hybrid_come_and_go() -> None:
    model = tiny(HYBRID)
    asked = prompts(14)
    budgets = [3 + 5 * (index % 5) for index in range(len(asked))]
    found = tokens(TransformersEngine(model, ByteTokenizer(), batch_size=8), asked, budgets)
    for prompt, budget, answer in zip(asked, budgets, found, strict=True):
        assert answer == generated(model, prompt)[:budget]


def test_a_hybrids_memory_does_not_grow_with_the_samples() -> None:
    engine = TransformersEngine(tiny(HYBRID), ByteTokenizer(), batch_size=8)
    sizes: list[int] = []
    engine.on_step = lambda: sizes.append(held_numbers(engine))
    tokens(engine, prompts(500), [1 + index % 4 for index in range(500)])
    assert max(sizes[-10:]) <= max(sizes[:30])
    assert max(sizes) > 0


def held_numbers(engine: TransformersEngine) -> int:
    """Numbers in the storage of the batch's cache."""
    cache = engine.loop()._passes._cache
    storage = [tensor for columns in cache._columns.values() for layer in columns.layers for tensor in layer.storage]
    return sum(tensor.numel() for tensor in [*storage, *cache._slots])


def test_a_sliding_window_keeps_its_window_only() -> None:
    model = tiny_model("gemma2")
    engine = TransformersEngine(model, ByteTokenizer(), batch_size=2)
    loop = engine.loop()
    sampling = Sampling(do_sample=False, max_new_tokens=200)
    loop.admit([Request(id="0", prompt=tuple(range(2, 42)), sampling=sampling, seed=0, ignore_eos=True)])
    for _ in range(100):
        loop.step()
    sliding = loop._passes._cache._columns[model.config.sliding_window - 1]
    assert sliding.width == model.config.sliding_window - 1
    assert sliding.longest == 140


def prompts(count: int, seed: int = 0) -> list[list[int]]:
    generator = random.Random(seed)
    return [[generator.randrange(2, VOCABULARY - 1) for _ in range(generator.randint(1, 30))] for _ in range(count)]


def tokens(engine: TransformersEngine, asked: list[list[int]], budgets: list[int] | None = None) -> list[list[int]]:
    requests = [
        Request(
            id=str(index),
            prompt=tuple(prompt),
            sampling=Sampling(do_sample=False, max_new_tokens=budgets[index] if budgets else 24),
            seed=index,
            ignore_eos=True,
        )
        for index, prompt in enumerate(asked)
    ]
    found = {completion.id: list(completion.token_ids) for completion in engine.generate(requests)}
    return [found[request.id] for request in requests]


def test_numbers_that_are_not_finite_do_not_fail_the_check() -> None:
    model = tiny_model("llama")
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(torch.nan)
    assert passes_of(model) == "BatchedPasses"

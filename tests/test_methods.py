"""SLOT, alone and with SRGen, against autograd from the paper; the registry; how `--method` is read."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from srgen import SRGenConfig
from srgen.config import Sampling
from srgen.demo_model import DEMO
from srgen.engines import EngineConfig
from srgen.engines.base import Completion, Request
from srgen.engines.transformers.engine import TransformersEngine, load_model
from srgen.errors import ConfigError
from srgen.method.prompt_loss import PromptLoss
from srgen.method.readout import Readout, readout_of
from srgen.methods.registry import methods, parse
from srgen.methods.slot import Slot
from tests.tiny_models import NEVER, PROMPTS, SRGEN, ByteTokenizer, Shifted, reference_generate, slot_delta, tiny_model

TOKENS = 24


def generate(engine: TransformersEngine, prompts: list[list[int]], **options: Any) -> list[Completion]:
    requests = [
        Request(
            id=str(i), prompt=tuple(p), sampling=Sampling(do_sample=False, max_new_tokens=TOKENS), seed=i, **options
        )
        for i, p in enumerate(prompts)
    ]
    return sorted(engine.generate(requests), key=lambda completion: int(completion.id))


@pytest.mark.parametrize("name", ["llama", "qwen2", "gemma2", "gpt2"])
@pytest.mark.parametrize("srgen", [None, SRGEN], ids=["slot", "srgen+slot"])
def test_tokens_equal_autograd(name: str, srgen: SRGenConfig | None) -> None:
    model = tiny_model(name)
    slot = Slot()
    expected = [
        reference_generate(Shifted(model, slot_delta(model, prompt, slot)), prompt, srgen or NEVER, TOKENS)
        for prompt in PROMPTS
    ]
    plain = [reference_generate(model, prompt, NEVER, TOKENS).tokens for prompt in PROMPTS]
    assert plain != [reference.tokens for reference in expected]
    for batch_size in (1, 8):
        engine = TransformersEngine(model, ByteTokenizer(), batch_size=batch_size)
        found = generate(engine, PROMPTS, srgen=srgen, methods=(slot,))
        assert [list(completion.token_ids) for completion in found] == [reference.tokens for reference in expected]
        if srgen is not None:
            triggers = [[reflection.position for reflection in completion.reflections] for completion in found]
            assert triggers == [reference.triggers for reference in expected]
            assert any(triggers)
        assert all(completion.reports["slot"]["delta_norm"] > 0 for completion in found)
        engine._loop.close()


def test_mixed_batches_leave_each_other_alone() -> None:
    model = tiny_model("gemma2")
    engine = TransformersEngine(model, ByteTokenizer(), batch_size=8)
    alone = [generate(engine, PROMPTS, methods=chosen) for chosen in ((), (Slot(),), (Slot(times=2, lr=0.3),))]
    requests = [
        Request(
            id=f"{i}/{way}",
            prompt=tuple(prompt),
            sampling=Sampling(do_sample=False, max_new_tokens=TOKENS),
            seed=i,
            methods=chosen,
        )
        for i, prompt in enumerate(PROMPTS)
        for way, chosen in enumerate([(), (Slot(),), (Slot(times=2, lr=0.3),)])
    ]
    for completion in engine.generate(requests):
        i, way = map(int, completion.id.split("/"))
        assert completion.token_ids == alone[way][i].token_ids
        assert bool(completion.reports) == bool(way)


def test_samples_of_a_question_share_one_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[int] = []
    begin = Slot.begin

    def counting(self: Slot, head: Any, prompts: Any) -> Any:
        fitted.append(len(prompts))
        return begin(self, head, prompts)

    monkeypatch.setattr(Slot, "begin", counting)
    engine = TransformersEngine(tiny_model("llama"), ByteTokenizer(), batch_size=4)
    alone = generate(engine, PROMPTS, methods=(Slot(),))
    assert sum(fitted) == len(PROMPTS)
    again = generate(engine, [prompt for prompt in PROMPTS for _ in range(3)], methods=(Slot(),))
    assert sum(fitted) == len(PROMPTS)
    for index, completion in enumerate(again):
        assert completion.token_ids == alone[index // 3].token_ids
        assert completion.reports == alone[index // 3].reports
    generate(engine, PROMPTS, methods=(Slot(times=2),))
    assert sum(fitted) == 2 * len(PROMPTS)


def test_a_prompt_of_one_token_has_no_delta() -> None:
    engine = TransformersEngine(tiny_model("llama"), ByteTokenizer())
    (plain,), (slotted,) = generate(engine, [[7]]), generate(engine, [[7]], methods=(Slot(),))
    assert plain.token_ids == slotted.token_ids


@pytest.mark.parametrize("cap", [None, 5.0])
@pytest.mark.parametrize("most_logits", [0, 1 << 20])
def test_prompt_loss_is_the_cross_entropy(cap: float | None, most_logits: int) -> None:
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(300, 16, generator=generator)
    readout = Readout(weight, cap=cap)
    hidden, shift = torch.randn(40, 16, generator=generator), torch.randn(300, generator=generator) * 3
    labels = torch.randint(0, 300, (40,), generator=generator)
    loss, gradient = PromptLoss(readout, hidden, labels.tolist(), most_logits)(shift)
    variable = shift.double().requires_grad_()
    logits = hidden.double() @ weight.double().T + variable
    expected = torch.nn.functional.cross_entropy(cap * torch.tanh(logits / cap) if cap else logits, labels)
    (slope,) = torch.autograd.grad(expected, [variable])
    torch.testing.assert_close(loss.double(), expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-4, atol=1e-7)


def test_demo_model_equals_autograd() -> None:
    model, tokenizer = load_model(EngineConfig(model_path=DEMO, device="cpu", dtype="float32"))
    slot = Slot(times=3, lr=0.02)
    texts = ["What is 7 times 8?", "Ann has 3 apples and buys 12 more. How many apples does she have now?"]
    prompts = [tokenizer(text)["input_ids"] for text in texts]
    readout = readout_of(model)
    expected = []
    for prompt in prompts:
        delta = slot_delta(model, prompt, slot)
        with torch.no_grad():
            shift = readout.shift(delta[None])[0]
            answer = model.generate(
                torch.tensor([prompt]),
                max_new_tokens=16,
                do_sample=False,
                logits_processor=[lambda _ids, scores, shift=shift: scores + shift],
            )
        expected.append(answer[0, len(prompt) :].tolist())
    for batch_size in (1, 8):
        engine = TransformersEngine(model, tokenizer, batch_size=batch_size)
        requests = [
            Request(
                id=str(i),
                prompt=tuple(prompts[i % 2]),
                sampling=Sampling(do_sample=False, max_new_tokens=16),
                seed=i,
                methods=(slot,),
            )
            for i in range(2 if batch_size == 1 else 8)
        ]
        for completion in engine.generate(requests):
            assert list(completion.token_ids) == expected[int(completion.id) % 2]
        engine._loop.close()


def test_parse() -> None:
    assert parse("base") == ()
    assert parse("srgen") == ("srgen",)
    assert parse("slot+srgen") == parse("srgen+slot") == ("srgen", "slot")
    assert "slot" in methods()
    for text, message in (("slto", "did you mean 'slot'"), ("slot+slot", "twice"), ("base+slot", "plain decoding")):
        with pytest.raises(ConfigError, match=message):
            parse(text)


@pytest.mark.parametrize("values", [{"times": 0}, {"lr": 0.0}, {"lr": float("nan")}])
def test_slot_refuses(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="slot_"):
        Slot(**values)

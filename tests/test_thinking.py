"""Thoughts that are ended at a budget or kept open, on a model that counts: after token t it says t + 1."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_models import ByteTokenizer
from transformers import AutoModelForCausalLM, LlamaConfig

from srgen import Completion, ConfigError, Message, Request, Sampling, SRGenConfig
from srgen.chat import encode, encode_request
from srgen.engines.openai import _reasoning
from srgen.engines.transformers.engine import TransformersEngine
from srgen.methods.budget_forcing import BudgetForcing
from srgen.methods.registry import check_combination
from srgen.methods.slot import Slot
from srgen.thinking import ASK, GO_ON, Thinking

VOCABULARY = 100
BEGIN, END_OF_THOUGHT = 60, 70
WAIT, ASKED = [40, 41], [20]


class ThinkingTokenizer(ByteTokenizer):
    """Words that are tokens of their own."""

    eos_token_id = VOCABULARY - 1

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        words = {"<think>": [BEGIN], "</think>": [END_OF_THOUGHT], GO_ON: WAIT, ASK: ASKED}
        return {"input_ids": words.get(text) or [1 + ord(character) % 9 for character in text]}


def counting_model() -> Any:
    """Its layers add nothing, so that the last token alone decides the next."""
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=VOCABULARY, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    model.generation_config.eos_token_id = VOCABULARY - 1
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(VOCABULARY))
        model.get_output_embeddings().weight.copy_(torch.eye(VOCABULARY).roll(1, 0))
    return model


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    return TransformersEngine(counting_model(), ThinkingTokenizer(), batch_size=4)


def ask(engine: TransformersEngine, prompt: list[int], count: int = 14, **settings: Any) -> list[int]:
    sampling = Sampling(do_sample=False, max_new_tokens=count, **settings)
    (completion,) = engine.generate([Request(id="0", prompt=tuple(prompt), sampling=sampling, seed=0)])
    return list(completion.token_ids)


def forced(engine: TransformersEngine, count: int, method: BudgetForcing, **options: Any) -> Completion:
    sampling = Sampling(do_sample=False, max_new_tokens=count)
    request = Request(id="0", prompt=tuple(OPENED), sampling=sampling, seed=0, methods=(method,), **options)
    (completion,) = engine.generate([request])
    return completion


OPENED = [5, BEGIN]


def test_the_model_counts(engine: TransformersEngine) -> None:
    assert ask(engine, OPENED) == list(range(61, 75))


@pytest.mark.parametrize("budget", [0, 1, 3, 8])
def test_thoughts_end_at_the_budget_and_the_answer_is_asked_for(engine: TransformersEngine, budget: int) -> None:
    expected = [*range(61, 61 + budget), END_OF_THOUGHT, *ASKED, *range(21, 40)]
    assert ask(engine, OPENED, thinking_budget=budget) == expected[:14]


@pytest.mark.parametrize("budget", [9, 10, 100])
def test_an_end_of_its_own_is_not_doubled(engine: TransformersEngine, budget: int) -> None:
    assert ask(engine, OPENED, thinking_budget=budget) == list(range(61, 75))


def test_a_block_that_the_answer_opens_counts_from_there(engine: TransformersEngine) -> None:
    assert ask(engine, [57], 8, thinking_budget=2) == [58, 59, BEGIN, 61, 62, END_OF_THOUGHT, *ASKED, 21]


def test_a_block_that_the_prompt_has_closed_is_left_alone(engine: TransformersEngine) -> None:
    assert ask(engine, [BEGIN, 65, END_OF_THOUGHT, 20], 5, thinking_budget=1, ignore_end=3) == [21, 22, 23, 24, 25]


def test_the_first_ends_are_ignored(engine: TransformersEngine) -> None:
    once = [*range(61, 70), *WAIT, *range(42, 71), 71]
    assert ask(engine, OPENED, len(once), ignore_end=1) == once
    twice = [*range(61, 70), *WAIT, *range(42, 70), *WAIT, *range(42, 71), 71]
    assert ask(engine, OPENED, len(twice), ignore_end=2) == twice


def test_the_budget_holds_while_ends_are_ignored(engine: TransformersEngine) -> None:
    expected = [*range(61, 70), *WAIT, 42, END_OF_THOUGHT, *ASKED, 21]
    assert ask(engine, OPENED, len(expected), ignore_end=5, thinking_budget=12) == expected


@pytest.mark.parametrize(
    ("waits", "tokens", "waited", "ended"), [(1, 0, 1, 0), (2, 0, 2, 0), (5, 12, 1, 1), (0, 3, 0, 1), (0, 100, 0, 0)]
)
def test_budget_forcing_is_what_the_settings_of_sampling_do(
    engine: TransformersEngine, waits: int, tokens: int, waited: int, ended: int
) -> None:
    expected = ask(engine, OPENED, 40, ignore_end=waits, thinking_budget=tokens or None)
    completion = forced(engine, 40, BudgetForcing(waits=waits, tokens=tokens))
    assert list(completion.token_ids) == expected
    assert completion.reports == {"budget_forcing": {"waits": waited, "ended": ended}}


def test_budget_forcing_combines_with_slot_and_srgen(engine: TransformersEngine) -> None:
    always = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.0)
    completion = forced(engine, 12, BudgetForcing(waits=0, tokens=2), srgen=always)
    assert list(completion.token_ids[2:4]) == [END_OF_THOUGHT, *ASKED]
    assert completion.reflections
    (both,) = engine.generate(
        [
            Request(
                id="0",
                prompt=tuple(OPENED),
                sampling=Sampling(do_sample=False, max_new_tokens=12),
                seed=0,
                methods=(BudgetForcing(waits=0, tokens=2), Slot(times=1, lr=1e-6)),
            )
        ]
    )
    assert set(both.reports) == {"budget_forcing", "slot"}
    assert list(both.token_ids[2:4]) == [END_OF_THOUGHT, *ASKED]


def test_what_does_not_force_or_forces_twice_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="does nothing"):
        BudgetForcing(waits=0)
    with pytest.raises(ConfigError, match="budget_forcing_tokens must be at least 0"):
        BudgetForcing(tokens=-1)
    with pytest.raises(ConfigError, match="both force tokens"):
        check_combination(False, (BudgetForcing(),), steered=True)


def test_forced_tokens_are_not_reflected_on_and_rows_do_not_disturb_each_other(engine: TransformersEngine) -> None:
    always = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.0)
    requests = [
        Request(
            id=str(budget),
            prompt=tuple(OPENED),
            sampling=Sampling(do_sample=False, max_new_tokens=12, thinking_budget=budget),
            seed=0,
            srgen=always,
        )
        for budget in (0, 2, 5)
    ]
    for completion in engine.generate(requests):
        budget = int(completion.id)
        assert list(completion.token_ids[budget : budget + 2]) == [END_OF_THOUGHT, *ASKED]
        assert not {budget, budget + 1} & {reflection.position for reflection in completion.reflections}
        assert completion.reflections


def test_a_model_without_markers_is_a_sentence() -> None:
    engine = TransformersEngine(counting_model(), ByteTokenizer())
    with pytest.raises(ConfigError, match="no thinking markers"):
        ask(engine, OPENED, thinking_budget=3)
    with pytest.raises(ConfigError, match="at least 0 tokens"):
        Sampling(thinking_budget=-1)


def test_markers_are_single_tokens() -> None:
    thinking = Thinking.of(ThinkingTokenizer())
    assert (thinking.begin, thinking.end, thinking.go_on, thinking.ask) == (BEGIN, END_OF_THOUGHT, (40, 41), (20,))


def test_logits_that_are_no_numbers_end_their_row_only() -> None:
    model = counting_model()
    engine = TransformersEngine(model, ThinkingTokenizer(), batch_size=2)
    with torch.no_grad():
        model.model.embed_tokens.weight[34] = torch.nan
    sampling = Sampling(max_new_tokens=6, temperature=1e-3)
    greedy = Sampling(do_sample=False, max_new_tokens=6)
    requests = [
        Request(id=f"{name} {start}", prompt=(start,), sampling=how, seed=0, srgen=SRGenConfig())
        for name, how in (("sampled", sampling), ("greedy", greedy))
        for start in (31, 50)
    ]
    found = {completion.id: completion for completion in engine.generate(requests)}
    for name in ("sampled", "greedy"):
        broken, sound = found[f"{name} 31"], found[f"{name} 50"]
        assert broken.finish_reason == "error"
        assert broken.error is not None and "not finite at token 3" in broken.error
        assert broken.token_ids == (32, 33, 34)
        assert sound.token_ids == (51, 52, 53, 54, 55, 56)


class TemplateTokenizer(ThinkingTokenizer):
    """A chat template that reads an argument, rendered as transformers does."""

    chat_template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}{% if enable_thinking %}<think>\n{% endif %}"
    )

    def apply_chat_template(self, messages: list[dict[str, str]], *, tokenize: bool, **arguments: Any) -> str:
        from jinja2 import Template

        return Template(self.chat_template, keep_trailing_newline=True).render(messages=messages, **arguments)

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(character) for character in text]}


def prompt_text(arguments: dict[str, Any] | None = None, prefix: str = "") -> str:
    request = Request(
        id="0",
        prompt=(Message("user", "Hi"),),
        template_arguments=None if arguments is None else json.dumps(arguments),
        prefix=prefix,
        sampling=Sampling(),
        seed=0,
    )
    return "".join(map(chr, encode_request(TemplateTokenizer(), request)))


def test_template_arguments_reach_the_template() -> None:
    assert prompt_text() == "[user]Hi[assistant]"
    assert prompt_text({"enable_thinking": True}) == "[user]Hi[assistant]<think>\n"


def test_an_unknown_template_argument_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match="knows no argument 'enable_thoughts'; it reads enable_thinking"):
        prompt_text({"enable_thoughts": True})
    with pytest.raises(ConfigError, match="has none"):
        encode(ByteTokenizer(), [Message("user", "Hi")], {"enable_thinking": True})


def test_a_prefix_follows_the_prompt_and_is_not_doubled() -> None:
    assert prompt_text(prefix="<think>\n") == "[user]Hi[assistant]<think>\n"
    assert prompt_text({"enable_thinking": True}, "<think>\n") == "[user]Hi[assistant]<think>\n"


def test_a_prefix_begins_the_text(engine: TransformersEngine) -> None:
    request = Request(id="0", prompt="ab", prefix="So", sampling=Sampling(do_sample=False, max_new_tokens=2), seed=0)
    (completion,) = engine.generate([request])
    assert completion.prompt_tokens == 4
    assert completion.text.startswith("So")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_an_endpoints_thoughts_are_kept(name: str) -> None:
    choice = SimpleNamespace(message=SimpleNamespace(content="4", model_extra={name: "two and two"}))
    assert _reasoning(choice) == "two and two"
    assert _reasoning(SimpleNamespace(text="4")) is None

"""SRGen end to end on tiny random models of four architectures, against an autograd implementation."""

from __future__ import annotations

import dataclasses
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import CONFIGS, END, VOCABULARY, ByteTokenizer, reference_generate, tiny_model

from srgen import Completion, Request, Sampling, SRGenConfig, SRGenError, UnsupportedModelError
from srgen.engines.transformers.engine import TransformersEngine
from srgen.logits_processor import SRGenLogitsProcessor

NEW_TOKENS = 40
OFTEN = SRGenConfig(
    adaptive_entropy_N=5, adaptive_entropy_K=0.2, minimal_std=0.05, minimal_threshold=0.2, entropy_threshold=2.5
)
NEVER = SRGenConfig(entropy_threshold=1e9, adaptive_entropy=False)
GREEDY = Sampling(do_sample=False, max_new_tokens=NEW_TOKENS)


def prompts(count: int, seed: int = 0) -> list[list[int]]:
    generator = random.Random(seed)
    return [[generator.randrange(2, END) for _ in range(generator.randint(2, 24))] for _ in range(count)]


def request(index: int, prompt: list[int], config: SRGenConfig | None, sampling: Sampling = GREEDY) -> Request:
    return Request(id=str(index), prompt=tuple(prompt), sampling=sampling, seed=1000 + index, srgen=config)


def generate(engine: TransformersEngine, requests: list[Request], batch_size: int) -> list[Completion]:
    engine.batch_size = batch_size
    found = {completion.id: completion for completion in engine.generate(requests)}
    assert len(found) == len(requests)
    return [found[r.id] for r in requests]


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def model(request: pytest.FixtureRequest):
    return tiny_model(request.param)


@pytest.fixture(scope="module")
def llama() -> TransformersEngine:
    return TransformersEngine(tiny_model("llama"), ByteTokenizer())


@pytest.mark.parametrize("batch_size", [1, 8])
def test_engine_equals_autograd(model, batch_size: int) -> None:
    config = dataclasses.replace(OFTEN, reflection="exact")
    asked = prompts(8)
    engine = TransformersEngine(model, ByteTokenizer())
    completions = generate(engine, [request(i, p, config) for i, p in enumerate(asked)], batch_size)
    reflections = 0
    for prompt, completion in zip(asked, completions, strict=True):
        expected = reference_generate(model, prompt, config, NEW_TOKENS)
        assert list(completion.token_ids) == expected.tokens
        assert [r.position for r in completion.reflections] == expected.triggers
        reflections += len(expected.triggers)
    assert reflections >= 10


@pytest.mark.parametrize("mode", ["support", "sketch"])
def test_engine_sketch_gives_the_exact_tokens(model, mode: str) -> None:
    asked = prompts(8)
    engine = TransformersEngine(model, ByteTokenizer())
    config = dataclasses.replace(OFTEN, reflection=mode, sketch_top=64)
    completions = generate(engine, [request(i, p, config) for i, p in enumerate(asked)], 8)
    equal = sum(
        list(c.token_ids) == reference_generate(model, p, config, NEW_TOKENS).tokens
        for p, c in zip(asked, completions, strict=True)
    )
    assert equal >= 7


@pytest.mark.parametrize("mode", ["exact", "sketch", "support"])
def test_logits_processor_in_left_padded_generate(model, mode: str) -> None:
    config = dataclasses.replace(OFTEN, reflection=mode, sketch_top=VOCABULARY)
    asked = prompts(4)
    width = max(map(len, asked))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in asked])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in asked])
    processor = SRGenLogitsProcessor(model, config)
    for _ in range(2):  # the second call starts anew
        output = model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, logits_processor=[processor]
        )
        for row, prompt in enumerate(asked):
            expected = reference_generate(model, prompt, config, NEW_TOKENS)
            assert output[row, width:].tolist()[: len(expected.tokens)] == expected.tokens
            assert [r.position for r in processor.records[row].reflections] == expected.triggers


def test_logits_processor_samples_from_the_corrected_distribution() -> None:
    model = tiny_model("llama")
    always = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.0, lr=0.3, times=5, entropy_weight=1.0)
    prompt = torch.tensor([prompts(1)[0]])
    torch.manual_seed(0)
    options = {"do_sample": True, "temperature": 1.0, "top_k": 0, "max_new_tokens": 12}
    processor = SRGenLogitsProcessor(model, always, temperature=1.0)
    model.generate(prompt, logits_processor=[processor], **options)
    (record,) = processor.records
    assert record.reflections
    # With lambda = 1 the loss is the entropy alone: every correction must lower it.
    assert all(r.entropy_after < r.entropy_before for r in record.reflections)


def test_logits_processor_keeps_what_other_processors_forbid() -> None:
    model = tiny_model("qwen2")
    always = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.0)
    prompt = torch.tensor([prompts(1)[0]])
    banned = model.generate(prompt, max_new_tokens=1)[0, -1].item()
    output = model.generate(
        prompt,
        max_new_tokens=20,
        bad_words_ids=[[banned]],
        logits_processor=[SRGenLogitsProcessor(model, always)],
    )
    assert banned not in output[0, prompt.shape[1] :].tolist()


def test_beam_search_is_refused_in_words() -> None:
    model = tiny_model("llama")
    prompt = torch.tensor([prompts(1)[0]])
    with pytest.raises(SRGenError, match="num_beams=1"):
        model.generate(prompt, num_beams=3, max_new_tokens=20, logits_processor=[SRGenLogitsProcessor(model, OFTEN)])


def test_hooks_leave_with_the_processor() -> None:
    model = tiny_model("llama")
    processor = SRGenLogitsProcessor(model, OFTEN)
    assert model._forward_hooks
    del processor
    assert not model._forward_hooks
    assert not model.get_decoder()._forward_hooks


def test_an_unknown_head_is_a_clear_error() -> None:
    model = tiny_model("llama")

    class Squared(torch.nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return super().forward(hidden) ** 2

    head = Squared(32, VOCABULARY, bias=False)
    model.set_output_embeddings(head)
    with pytest.raises(UnsupportedModelError, match="linear head"):
        SRGenLogitsProcessor(model, OFTEN)


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(max_new_tokens=NEW_TOKENS, temperature=1.0)])
def test_impossible_triggers_leave_the_base_output(model, sampling: Sampling) -> None:
    engine = TransformersEngine(model, ByteTokenizer())
    asked = prompts(6)
    base = generate(engine, [request(i, p, None, sampling) for i, p in enumerate(asked)], 3)
    never = generate(engine, [request(i, p, NEVER, sampling) for i, p in enumerate(asked)], 3)
    assert [c.token_ids for c in base] == [c.token_ids for c in never]
    assert not any(c.reflections for c in never)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch_size=st.integers(1, 7),
    srgen=st.sampled_from(
        [None, *(dataclasses.replace(OFTEN, reflection=mode) for mode in ("support", "sketch", "exact"))]
    ),
    do_sample=st.booleans(),
    top_p=st.sampled_from([0.8, 1.0]),
)
def test_tokens_do_not_depend_on_the_batch(llama, seed, batch_size, srgen, do_sample, top_p) -> None:  # noqa: PLR0917
    generator = random.Random(seed)
    requests = []
    for index, prompt in enumerate(prompts(7, seed)):
        # Neighbours differ in length and method; rows end at different times and are replaced.
        sampling = Sampling(
            do_sample=do_sample, temperature=1.0, top_p=top_p, max_new_tokens=generator.randint(1, NEW_TOKENS)
        )
        requests.append(request(index, prompt, srgen if index % 2 == 0 else None, sampling))
    together = generate(llama, requests, batch_size)
    generator.shuffle(requests)
    alone = {r.id: c for r, c in zip(requests, generate(llama, requests, 1), strict=True)}
    for completion in together:
        assert completion.token_ids == alone[completion.id].token_ids
        assert len(completion.reflections) == len(alone[completion.id].reflections)


def test_samples_of_one_prompt_differ_and_repeat(llama) -> None:
    prompt = prompts(1)[0]
    sampling = Sampling(temperature=1.0, top_p=1.0, max_new_tokens=20)
    requests = [dataclasses.replace(request(i, prompt, None, sampling), seed=i) for i in range(6)]
    first, second = (generate(llama, requests, 6) for _ in range(2))
    assert [c.token_ids for c in first] == [c.token_ids for c in second]
    assert len({c.token_ids for c in first}) == 6


def test_max_retries_bounds_the_reflections(llama) -> None:
    config = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.0, max_retries=3)
    (completion,) = generate(llama, [request(0, prompts(1)[0], config)], 1)
    # The first token is not monitored.
    assert [r.position for r in completion.reflections] == [1, 2, 3]


def test_masked_labels_change_the_correction_only(llama) -> None:
    always = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.0, max_retries=1)
    prompt = [ord(":") % VOCABULARY, 5, ord("\n"), 9, ord(":") % VOCABULARY, 7]
    plain, masked = (
        generate(llama, [request(0, prompt, config)], 1)[0].reflections[0]
        for config in (always, dataclasses.replace(always, mask_special_tokens=True))
    )
    assert plain.entropy_before == pytest.approx(masked.entropy_before)
    assert plain.losses[0] != pytest.approx(masked.losses[0])


def test_a_prompt_that_does_not_fit_is_an_error_of_its_own(llama) -> None:
    long = request(0, [5] * 300, None)
    fine = request(1, [5, 6, 7], None)
    failed, done = generate(llama, [long, fine], 2)
    assert failed.finish_reason == "error"
    assert failed.error is not None and "300 tokens" in failed.error
    assert done.finish_reason in ("stop", "length")


def test_the_context_window_bounds_a_sample(llama) -> None:
    (completion,) = generate(llama, [request(0, [5] * 250, None, Sampling(max_new_tokens=100, top_p=1.0))], 1)
    assert completion.finish_reason in ("stop", "length")
    assert len(completion.token_ids) <= 6


def test_stop_strings_end_the_text_before_them(llama) -> None:
    (free,) = generate(llama, [request(0, [5, 6, 7], None)], 1)
    stop = free.text[10:13]
    sampling = dataclasses.replace(GREEDY, stop=(stop,))
    (stopped,) = generate(llama, [request(0, [5, 6, 7], None, sampling)], 1)
    assert stopped.finish_reason == "stop"
    assert stopped.text == free.text.split(stop)[0]
    assert len(stopped.token_ids) < len(free.token_ids)


def test_a_source_with_nothing_at_present_does_not_stall_the_rows(llama) -> None:
    llama.batch_size = 2
    pulls = []

    def source():
        yield request(0, [5, 6, 7], None)
        for _ in range(5):
            pulls.append(len(pulls))
            yield None
        yield request(1, [9, 8], None)

    completions = list(llama.generate(source()))
    assert sorted(c.id for c in completions) == ["0", "1"]
    assert len(pulls) == 5


def test_rows_in_flight_are_given_up_when_the_caller_stops(llama) -> None:
    llama.batch_size = 3
    running = llama.generate([request(i, p, OFTEN) for i, p in enumerate(prompts(6))])
    next(running)
    running.close()
    assert len(llama.loop()) == 0
    assert len(generate(llama, [request(0, [5, 6], None)], 3)) == 1

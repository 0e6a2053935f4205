"""The released code's loop as an engine: without its accidents it is the in-place engine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from srgen import Completion, Message, Request, Sampling, SRGenConfig
from srgen.engines import Switches
from srgen.engines.released.loop import ReleasedEngine
from srgen.engines.transformers.engine import TransformersEngine
from srgen.tnot_decorator import disable_tnot
from tests.server_process import tiny_engine, tiny_model, tiny_tokenizer

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"
METHOD = SRGenConfig(entropy_threshold=0.5, adaptive_entropy=False, lr=0.1, max_retries=4, reflection="exact")
CHAT = (Message("system", "Be brief."), Message("user", "Say something."))


def request(**changes: object) -> Request:
    sampling = Sampling(do_sample=False, max_new_tokens=40)
    base = Request(id="0", prompt=CHAT, sampling=sampling, seed=5, srgen=METHOD, record_entropy=True)
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def released(asked: Request, **switches: bool) -> Completion:
    (completion,) = ReleasedEngine(tiny_model(), tiny_tokenizer(), Switches(**switches)).generate([asked])
    return completion


def in_place(asked: Request) -> Completion:
    (completion,) = tiny_engine().generate([asked])
    return completion


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"srgen": None},
        {"sampling": Sampling(do_sample=True, temperature=0.8, top_p=0.9, max_new_tokens=40)},
        {"srgen": dataclasses.replace(METHOD, adaptive_entropy=True, adaptive_entropy_N=5, adaptive_entropy_K=0.5)},
        {"srgen": dataclasses.replace(METHOD, max_retries=0)},
        {"srgen": dataclasses.replace(METHOD, max_retries=100)},
    ],
)
def test_without_switches_it_gives_the_in_place_sample(changes: dict) -> None:
    asked = request(**changes)
    theirs, ours = released(asked), in_place(asked)
    assert theirs.token_ids == ours.token_ids
    assert theirs.text == ours.text
    assert theirs.finish_reason == ours.finish_reason
    assert [r.position for r in theirs.reflections] == [r.position for r in ours.reflections]
    assert theirs.entropies is not None and ours.entropies is not None
    assert theirs.entropies[1:] == pytest.approx(ours.entropies[1:], abs=1e-3)
    for one, other in zip(theirs.reflections, ours.reflections, strict=True):
        assert one.entropy_before == pytest.approx(other.entropy_before, abs=1e-3)
        assert one.losses == pytest.approx(other.losses, abs=1e-3)


def test_budget_per_pass_gives_every_pass_the_whole_budget() -> None:
    asked = request(sampling=Sampling(do_sample=False, max_new_tokens=10))
    assert len(released(asked).token_ids) == 10
    longer = released(asked, budget_per_pass=True)
    assert len(longer.token_ids) == longer.reflections[-1].position + 10
    assert len(longer.reflections) == METHOD.max_retries


def test_the_dropped_last_reflection_ends_the_sample_at_its_trigger() -> None:
    whole, cut = released(request()), released(request(), drop_last_reflection=True)
    assert len(cut.reflections) == METHOD.max_retries - 1
    assert cut.token_ids == whole.token_ids[: whole.reflections[-1].position]
    assert cut.finish_reason == "length"


def test_reencoding_loses_the_chat_markers() -> None:
    """The context of the second pass is the first one's without <s> and <e>."""
    tokenizer = tiny_tokenizer()
    model = tiny_model()
    engine = ReleasedEngine(model, tokenizer, Switches(reencode_context=True))
    prompts: list[list[int]] = []
    generate = type(model).generate

    def spy(inputs, **arguments):
        prompts.append(inputs[0].tolist())
        return generate(model, inputs, **arguments)

    model.generate = spy
    (completion,) = engine.generate([request()])
    markers = {tokenizer.bos_token_id, tokenizer.eos_token_id}
    first, second = prompts[:2]
    assert sum(token in markers for token in first) == 5
    assert not markers & set(second)
    generated = list(completion.token_ids[: len(second) + 5 - len(first)])
    assert second == [token for token in first if token not in markers] + generated
    assert completion.token_ids != released(request()).token_ids


def test_a_prompt_without_room_is_an_error_completion() -> None:
    completion = released(request(prompt="x" * 300))
    assert completion.finish_reason == "error"
    assert "300 tokens" in (completion.error or "")


@pytest.mark.model
@pytest.mark.timeout(3600)
def test_golden_traces_without_switches(trace: dict[str, Any], demo_engine: TransformersEngine) -> None:
    completion = replay(demo_engine, trace, Switches())
    assert list(completion.token_ids) == trace["output_ids"]
    assert [r.position for r in completion.reflections] == [t["index"] for t in trace["triggers"]]


@pytest.mark.model
@pytest.mark.skipif(not TRACES.is_dir(), reason="the golden traces are not beside this checkout")
def test_a_golden_trace_is_not_what_reencoding_gives(demo_engine: TransformersEngine) -> None:
    (trace,) = short_trace()
    assert list(replay(demo_engine, trace, Switches(reencode_context=True)).token_ids) != trace["output_ids"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`trace` is one row, cut after its fourth trigger; with --all_traces every row, whole."""
    if "trace" in metafunc.fixturenames:
        traces = all_traces() if metafunc.config.getoption("all_traces") else short_trace()
        metafunc.parametrize("trace", traces, ids=[trace["name"] for trace in traces])


def all_traces() -> list[dict[str, Any]]:
    return [
        json.loads(line) | {"name": f"{file.stem}-{number}"}
        for file in sorted(TRACES.glob("*.jsonl"))
        for number, line in enumerate(file.read_text().splitlines())
    ]


def short_trace() -> list[dict[str, Any]]:
    dense = [trace for trace in all_traces() if "dense" in trace["name"]]
    return [cut(trace) for trace in sorted(dense, key=lambda trace: len(trace["prompt_ids"]))[:1]]


def cut(trace: dict[str, Any]) -> dict[str, Any]:
    budget = trace["triggers"][3]["index"] + 12
    output = trace["output_ids"][:budget]
    triggers = [trigger for trigger in trace["triggers"] if trigger["index"] < budget]
    return trace | {"max_new_tokens": budget, "output_ids": output, "triggers": triggers}


def replay(engine: TransformersEngine, trace: dict[str, Any], switches: Switches) -> Completion:
    method = {f.name: trace["params"][f.name] for f in dataclasses.fields(SRGenConfig) if f.name in trace["params"]}
    asked = Request(
        id=trace["id"],
        prompt=tuple(trace["prompt_ids"]),
        sampling=Sampling(do_sample=False, max_new_tokens=trace["max_new_tokens"]),
        seed=0,
        srgen=SRGenConfig(reflection="exact", **method),
    )
    try:
        (completion,) = ReleasedEngine(engine.model, engine.tokenizer, switches).generate([asked])
    finally:
        disable_tnot(engine.model)
    return completion

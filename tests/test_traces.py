"""Golden greedy generations of an independent implementation, where their folder lies beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srgen import Completion, Request, Sampling, SRGenConfig
from srgen.engines.transformers.engine import TransformersEngine

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not TRACES.is_dir(), reason="the golden traces are not beside this checkout"),
]

METHOD_FIELDS = [
    "times",
    "lr",
    "entropy_weight",
    "entropy_threshold",
    "adaptive_entropy",
    "adaptive_entropy_N",
    "adaptive_entropy_K",
    "minimal_std",
    "minimal_threshold",
    "max_retries",
]


def load_traces() -> list[dict]:
    return [json.loads(line) for file in sorted(TRACES.glob("*.jsonl")) for line in file.read_text().splitlines()]


def run(engine: TransformersEngine, traces: list[dict], mode: str, batch_size: int) -> list[Completion]:
    engine.batch_size = batch_size
    requests = [
        Request(
            id=str(index),
            prompt=tuple(trace["prompt_ids"]),
            sampling=Sampling(do_sample=False, max_new_tokens=trace["max_new_tokens"]),
            seed=0,
            srgen=SRGenConfig(reflection=mode, **{name: trace["params"][name] for name in METHOD_FIELDS}),
            record_entropy=True,
        )
        for index, trace in enumerate(traces)
    ]
    completions = {completion.id: completion for completion in engine.generate(requests)}
    return [completions[request.id] for request in requests]


@pytest.mark.parametrize("batch_size", [1, 8])
def test_exact_mode_gives_the_golden_generations(
    demo_engine: TransformersEngine, batch_size: int, pytestconfig: pytest.Config
) -> None:
    traces = load_traces()
    if batch_size == 1 and not pytestconfig.getoption("--all_traces"):
        traces = traces[::4]  # all of them take seven minutes one by one
    for trace, completion in zip(traces, run(demo_engine, traces, "exact", batch_size), strict=True):
        assert list(completion.token_ids) == trace["output_ids"], trace["id"]
        assert [r.position for r in completion.reflections] == [t["index"] for t in trace["triggers"]], trace["id"]
        assert completion.entropies is not None
        assert completion.entropies[1:] == pytest.approx(trace["entropies"], abs=1e-3)
        for ours, golden in zip(completion.reflections, trace["triggers"], strict=True):
            assert ours.entropy_before == pytest.approx(golden["entropy"], abs=1e-3)
            assert ours.threshold == pytest.approx(golden["threshold"], abs=1e-3)


@pytest.mark.parametrize("mode", ["support", "sketch"])
def test_the_other_modes_give_nearly_all_of_them(demo_engine: TransformersEngine, mode: str) -> None:
    traces = load_traces()
    completions = run(demo_engine, traces, mode, 8)
    equal = sum(list(c.token_ids) == t["output_ids"] for c, t in zip(completions, traces, strict=True))
    assert equal >= 0.95 * len(traces)

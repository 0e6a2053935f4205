"""Tokens per second of vLLM with SRGen against plain vLLM, in turn a step each; and what SRGen's contexts take.

`python scripts/bench_vllm.py --model_path demo` samples answers of one length to mini's problems, as many at once as
the batch has places, by three engines in one process: plain requests (which pass the worker untouched), SRGen that
never triggers, and SRGen with reflections on a schedule, at the paper's rate of about 6 in 700 tokens, seldom for two
samples at once. They take turns step by step, so that a drift of the machine weighs on all alike.
`--vllm_worker` gives the plain engine vLLM's own worker instead, to see that ours costs plain requests nothing.
Seconds are wall time; CPU seconds of the process stand beside them, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduled_triggers import PAPER_RATE, install, scheduled

from srgen import Message, Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig
from srgen.engines.vllm.engine import VLLMEngine

PROBLEMS = Path(__file__).resolve().parent.parent / "evaluators" / "benchmarks" / "data" / "mini.jsonl"
INSTRUCTION = "Solve the problem step by step. End with the line: The answer is NUMBER."
PLAIN, MONITORED, REFLECTED = "plain", "monitoring only", "SRGen at the paper's rate"


@dataclass
class Round:
    """What one engine did in one round."""

    reflections: int = 0
    longest: int = 0
    """Positions of the longest prompt and answer."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def take_turns(engines: dict[str, VLLMEngine], work: dict[str, list[Request]]) -> dict[str, Round]:
    """Generate every engine's requests, one step each in turn."""
    rounds = {name: Round() for name in engines}
    for name, engine in engines.items():
        for request in work[name]:
            assert not engine._admit(request)
    names = list(engines)
    while any(engine._flights for engine in engines.values()):
        for name in names:
            if engines[name]._flights:
                step(engines[name], rounds[name])
        names.append(names.pop(0))
    return rounds


def step(engine: VLLMEngine, found: Round) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    outputs = engine._engine.step()
    completions = engine._collect([output for output in outputs if output.finished])
    found.seconds += time.perf_counter() - wall
    found.cpu_seconds += time.process_time() - cpu
    for completion in completions:
        found.reflections += len(completion.reflections)
        found.longest = max(found.longest, completion.prompt_tokens + len(completion.token_ids))


def requests(arguments: argparse.Namespace, batch: int, index: int, srgen: SRGenConfig | None) -> list[Request]:
    problems = [json.loads(line)["problem"] for line in PROBLEMS.read_text(encoding="utf-8").splitlines()]
    return [
        Request(
            id=f"{index}/{number}",
            prompt=(Message("user", f"{problems[number % len(problems)]} {INSTRUCTION}"),),
            sampling=Sampling(do_sample=not arguments.greedy, max_new_tokens=arguments.new_tokens),
            seed=1000 * index + number,
            srgen=srgen,
            ignore_eos=True,
        )
        for number in range(batch)
    ]


def context_bytes(worker: Any) -> int:
    """What a worker's contexts take."""
    return sum(store.nbytes for store in worker._streams._processor._stores.values())


def report_memory(engine: VLLMEngine, longest: int) -> None:
    """The pools as they have grown, against docs/serving.md: 6 M + 12 bytes a position and 4 V bytes a sample."""
    vocabulary = engine._engine.model_config.get_vocab_size()
    per_sample = longest * (6 * SRGenConfig().sketch_top + 12) + 4 * vocabulary
    measured = engine._engine.collective_rpc(context_bytes)[0] / engine.batch_size
    print(
        f"contexts: {measured / 1e6:.2f} MB a sample in the pools; {per_sample / 1e6:.2f} MB for the longest, "
        f"{longest} positions (pages of 64, and the pools grow by half)"
    )


def compare(engines: dict[str, VLLMEngine], arguments: argparse.Namespace, batch: int) -> int:
    """One table row per engine, medians over the rounds; the longest sample's positions."""
    ways: dict[str, SRGenConfig | None] = {PLAIN: None, MONITORED: scheduled(0), REFLECTED: scheduled(PAPER_RATE)}
    rounds = [
        take_turns(engines, {name: requests(arguments, batch, index, srgen) for name, srgen in ways.items()})
        for index in range(arguments.rounds + 1)
    ][1:]  # the first one warms up
    tokens = batch * arguments.new_tokens
    for name in ways:
        rate = 1000 * statistics.mean(found[name].reflections for found in rounds) / tokens
        speed = tokens / statistics.median(found[name].seconds for found in rounds)
        ratios = sorted(found[PLAIN].seconds / found[name].seconds for found in rounds)
        cpu = statistics.median(found[PLAIN].cpu_seconds / found[name].cpu_seconds for found in rounds)
        shown = f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        print(f"| {batch} | {name} | {rate:.1f} | {speed:.1f} | {shown} | {cpu:.3f} |", flush=True)
    return max(found[REFLECTED].longest for found in rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", default="demo")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--new_tokens", type=int, default=700)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--greedy", action="store_true", help="decode greedily instead of sampling at 0.6 and 0.95")
    parser.add_argument("--vllm_worker", action="store_true", help="plain requests by vLLM's own worker")
    arguments = parser.parse_args()
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    # The schedule is installed in this process, so the model must run here, on a GPU too.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    install()
    largest = max(arguments.batch_sizes)
    config = EngineConfig(
        model_path=arguments.model_path,
        backend="vllm",
        batch_size=largest,
        dtype=arguments.dtype,
        max_model_len=arguments.new_tokens + 256,
        # Three engines share a GPU.
        gpu_memory_utilization=0.3,
    )
    own: dict[str, Any] = {"worker_cls": "auto", "logits_processors": None} if arguments.vllm_worker else {}
    engines = {
        name: VLLMEngine.load(config, **(own if name == PLAIN else {})) for name in (PLAIN, MONITORED, REFLECTED)
    }
    print("to plain: plain's seconds / this one's, median (lowest to highest) of the rounds")
    print("| batch | way | reflections per 1,000 | tokens/s (wall) | to plain | to plain, CPU seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    longest = max(compare(engines, arguments, batch) for batch in sorted(arguments.batch_sizes))
    report_memory(engines[REFLECTED], longest)
    for engine in engines.values():
        engine.close()


if __name__ == "__main__":
    main()

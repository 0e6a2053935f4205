"""Tokens per second of vLLM with SRGen against plain vLLM, rounds of both interleaved; and what SRGen's contexts take.

`python scripts/bench_vllm.py --model_path demo` asks mini's problems; a plain request passes the worker untouched, and
`--plain_only` measures vLLM's own worker by itself, to see that this costs nothing.
Seconds are wall time; CPU seconds of this process stand beside them, for a machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srgen import Message, Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig
from srgen.engines.vllm import VLLMEngine

PROBLEMS = Path(__file__).resolve().parent.parent / "evaluators" / "data" / "mini.jsonl"
INSTRUCTION = "Solve the problem step by step. End with the line: The answer is NUMBER."


@dataclass(frozen=True)
class Round:
    """What one round measured."""

    tokens: int
    reflections: int
    longest: int
    """Positions of the longest prompt and answer."""
    seconds: float
    cpu_seconds: float


def measure(engine: VLLMEngine, requests: list[Request]) -> Round:
    start, cpu = time.perf_counter(), time.process_time()
    completions = list(engine.generate(requests))
    return Round(
        tokens=sum(len(completion.token_ids) for completion in completions),
        reflections=sum(len(completion.reflections) for completion in completions),
        longest=max(completion.prompt_tokens + len(completion.token_ids) for completion in completions),
        seconds=time.perf_counter() - start,
        cpu_seconds=time.process_time() - cpu,
    )


def requests(arguments: argparse.Namespace, index: int, srgen: SRGenConfig | None) -> list[Request]:
    problems = [json.loads(line)["problem"] for line in PROBLEMS.read_text(encoding="utf-8").splitlines()]
    return [
        Request(
            id=f"{index}/{number}",
            prompt=(Message("user", f"{problems[number % len(problems)]} {INSTRUCTION}"),),
            sampling=Sampling(max_new_tokens=arguments.max_new_tokens),
            seed=1000 * index + number,
            srgen=srgen,
            ignore_eos=True,
        )
        for number in range(arguments.samples)
    ]


def context_bytes(worker: Any) -> int:
    """What the pools of a worker's contexts take."""
    stores = worker._streams._processor._stores.values()
    return sum(pool.nbytes for store in stores for pool in (*store._pools.values(), store._rest))


def report_memory(engine: VLLMEngine, longest: int) -> None:
    """The pools as they have grown, against docs/serving.md: 6 M + 12 bytes a position and 4 V bytes a sample."""
    vocabulary = engine._engine.model_config.get_vocab_size()
    per_sample = longest * (6 * SRGenConfig().sketch_top + 12) + 4 * vocabulary
    measured = engine._engine.collective_rpc(context_bytes)[0] / engine.batch_size
    print(
        f"contexts: {measured / 1e6:.2f} MB a sample in the pools; {per_sample / 1e6:.2f} MB for the longest, "
        f"{longest} positions (pages of 64, and the pools grow by half)"
    )


def report(name: str, rounds: list[Round]) -> tuple[float, float]:
    tokens = sum(round_.tokens for round_ in rounds)
    reflections = sum(round_.reflections for round_ in rounds)
    rate = statistics.median(round_.tokens / round_.seconds for round_ in rounds)
    cpu_rate = statistics.median(round_.tokens / round_.cpu_seconds for round_ in rounds)
    print(
        f"{name}: {rate:.1f} tokens/s, {cpu_rate:.1f} tokens per CPU second, "
        f"{1000 * reflections / tokens:.2f} reflections per 1,000 tokens ({tokens} tokens)"
    )
    return rate, cpu_rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", default="demo")
    parser.add_argument("--samples", type=int, default=16, help="samples per round")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--max_new_tokens", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument(
        "--adaptive_entropy_K",
        type=float,
        default=SRGenConfig().adaptive_entropy_K,
        help="lower, for a model that triggers less than the paper's 9 in 1,000 tokens",
    )
    parser.add_argument("--plain_only", action="store_true", help="plain requests to vLLM's own worker, nothing else")
    arguments = parser.parse_args()
    config = EngineConfig(
        model_path=arguments.model_path,
        backend="vllm",
        batch_size=arguments.batch_size,
        dtype=arguments.dtype,
        max_model_len=arguments.max_new_tokens + 256,
    )
    ways: dict[str, SRGenConfig | None] = {
        "plain": None,
        "SRGen": SRGenConfig(adaptive_entropy_K=arguments.adaptive_entropy_K),
    }
    if arguments.plain_only:
        engine, ways = VLLMEngine.load(config, worker_cls="auto", logits_processors=None), {"plain": None}
    else:
        engine = VLLMEngine.load(config)
    rounds: dict[str, list[Round]] = {name: [] for name in ways}
    for index in range(arguments.rounds + 1):
        for name, srgen in ways.items():
            measured = measure(engine, requests(arguments, index, srgen))
            if index:  # the first round warms up
                rounds[name].append(measured)
    if arguments.plain_only:
        report("vLLM's own worker", rounds["plain"])
        engine.close()
        return
    (plain, plain_cpu), (ours, ours_cpu) = (report(name, measured) for name, measured in rounds.items())
    print(f"ratio: {ours / plain:.3f} of plain vLLM's tokens/s, {ours_cpu / plain_cpu:.3f} by CPU seconds")
    report_memory(engine, max(measured.longest for measured in rounds["SRGen"]))
    engine.close()


if __name__ == "__main__":
    main()

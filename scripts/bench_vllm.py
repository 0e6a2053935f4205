"""Tokens per second of vLLM with SRGen against plain vLLM, rounds of both interleaved; and what SRGen's contexts take.

`python scripts/bench_vllm.py --model_path demo` samples answers of one length to mini's problems, as many at once as
the batch has places. A static threshold, taken from the model's own entropies, gives the paper's rate of reflections
(about 6 in 700 tokens). A plain request passes the worker untouched, and `--plain_only` measures vLLM's own worker by
itself, to see that this costs nothing. Seconds are wall time; CPU seconds of this process stand beside them, for a
machine that others use too.
"""

from __future__ import annotations

import argparse
import json
import math
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


PAPER_RATE = 6 / 700
PLAIN, MONITORED, REFLECTED = "plain", "monitoring only", "SRGen at the paper's rate"


@dataclass(frozen=True)
class Round:
    """What one round measured."""

    reflections: int
    longest: int
    """Positions of the longest prompt and answer."""
    seconds: float
    cpu_seconds: float


def measure(engine: VLLMEngine, requests: list[Request]) -> Round:
    start, cpu = time.perf_counter(), time.process_time()
    completions = list(engine.generate(requests))
    return Round(
        reflections=sum(len(completion.reflections) for completion in completions),
        longest=max(completion.prompt_tokens + len(completion.token_ids) for completion in completions),
        seconds=time.perf_counter() - start,
        cpu_seconds=time.process_time() - cpu,
    )


def requests(
    arguments: argparse.Namespace, batch: int, index: int, srgen: SRGenConfig | None, record: bool = False
) -> list[Request]:
    problems = [json.loads(line)["problem"] for line in PROBLEMS.read_text(encoding="utf-8").splitlines()]
    return [
        Request(
            id=f"{index}/{number}",
            prompt=(Message("user", f"{problems[number % len(problems)]} {INSTRUCTION}"),),
            sampling=Sampling(do_sample=not arguments.greedy, max_new_tokens=arguments.new_tokens),
            seed=1000 * index + number,
            srgen=srgen,
            record_entropy=record,
            ignore_eos=True,
        )
        for number in range(batch)
    ]


def static(threshold: float) -> SRGenConfig:
    return SRGenConfig(adaptive_entropy=False, entropy_threshold=threshold, max_retries=10**6)


def paper_threshold(engine: VLLMEngine, arguments: argparse.Namespace, batch: int) -> float:
    """The entropy that a plain run's steps exceed at the paper's rate; the round also warms up."""
    completions = engine.generate(requests(arguments, batch, 0, None, record=True))
    values = sorted(value for completion in completions for value in (completion.entropies or ())[1:])
    return values[int(len(values) * (1 - PAPER_RATE))]


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


def compare(engine: VLLMEngine, arguments: argparse.Namespace, batch: int) -> int:
    """One table row per way, medians over the rounds; the longest sample's positions."""
    engine.batch_size = batch
    ways: dict[str, SRGenConfig | None] = {PLAIN: None}
    if not arguments.plain_only:
        threshold = paper_threshold(engine, arguments, batch)
        ways |= {MONITORED: static(math.inf), REFLECTED: static(threshold)}
    rounds: dict[str, list[Round]] = {name: [] for name in ways}
    for index in range(arguments.rounds):
        # The order turns round, so that a drift of the machine weighs on no way more than on another.
        for name in list(ways)[:: 1 if index % 2 == 0 else -1]:
            rounds[name].append(measure(engine, requests(arguments, batch, index + 1, ways[name])))
    tokens = batch * arguments.new_tokens
    for name, found in rounds.items():
        pairs = list(zip(rounds[PLAIN], found, strict=True))
        rate = 1000 * statistics.mean(measured.reflections for measured in found) / tokens
        speed = tokens / statistics.median(measured.seconds for measured in found)
        ratio = statistics.median(plain.seconds / measured.seconds for plain, measured in pairs)
        cpu_ratio = statistics.median(plain.cpu_seconds / measured.cpu_seconds for plain, measured in pairs)
        print(f"| {batch} | {name} | {rate:.1f} | {speed:.1f} | {ratio:.3f} | {cpu_ratio:.3f} |", flush=True)
    return max(measured.longest for found in rounds.values() for measured in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", default="demo")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--new_tokens", type=int, default=700)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--greedy", action="store_true", help="decode greedily instead of sampling at 0.6 and 0.95")
    parser.add_argument("--plain_only", action="store_true", help="plain requests to vLLM's own worker, nothing else")
    arguments = parser.parse_args()
    config = EngineConfig(
        model_path=arguments.model_path,
        backend="vllm",
        batch_size=max(arguments.batch_sizes),
        dtype=arguments.dtype,
        max_model_len=arguments.new_tokens + 256,
    )
    plain = {"worker_cls": "auto", "logits_processors": None} if arguments.plain_only else {}
    engine = VLLMEngine.load(config, **plain)
    print("ratios to plain: median over pairs of one round")
    print("| batch | way | reflections per 1,000 | tokens/s (wall) | to plain | to plain, CPU seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    longest = max(compare(engine, arguments, batch) for batch in arguments.batch_sizes)
    if not arguments.plain_only:
        report_memory(engine, longest)
    engine.close()


if __name__ == "__main__":
    main()

"""What SLOT and the recording of signals cost beside plain decoding: the same prompts, one step of each way in turn.

`python scripts/bench_methods.py --model_path demo` decodes greedily, every row to the same length; ratios are of CPU
seconds on the CPU and of wall seconds on CUDA, medians over the repeats. A prompt's forward pass and SLOT's fit count.
With `--steps`, only so many tokens are decoded, and the others are taken to cost as much.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from bench_reflection import TEXT

from srgen import Request, Sampling
from srgen.engines import EngineConfig
from srgen.engines.transformers.decode_loop import DecodeLoop
from srgen.engines.transformers.engine import TransformersEngine
from srgen.methods.slot import Slot

WAYS: dict[str, dict[str, object]] = {
    "plain": {},
    "SLOT": {"methods": (Slot(),)},
    "signals": {"record_signals": True},
    "plain again": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", default="demo")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--context", type=int, default=200, help="prompt length in tokens")
    parser.add_argument("--new_tokens", type=int, default=700)
    parser.add_argument("--steps", type=int, help="tokens that are decoded; default all")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    engine = TransformersEngine.load(EngineConfig(model_path=options.model_path, device=options.device))
    print("| batch | " + " | ".join(f"{way} / plain" for way in list(WAYS)[1:]) + " |")
    print("| --- " * len(WAYS) + "|")
    for batch in options.batch_sizes:
        runs = [in_turn(engine, batch, options) for _ in range(options.repeat)]
        cells = []
        for way in list(WAYS)[1:]:
            ratios = sorted(run[way] / run["plain"] for run in runs)
            cells.append(f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
        print(f"| {batch} | " + " | ".join(cells) + " |", flush=True)


def in_turn(engine: TransformersEngine, batch: int, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of each way, all of them decoding one step each in turn, the order changing from step to step."""
    loops = {way: DecodeLoop(engine.model, engine.tokenizer) for way in WAYS}
    admitting, stepping = dict.fromkeys(WAYS, 0.0), dict.fromkeys(WAYS, 0.0)
    for way, loop in loops.items():
        admitted = requests(engine, batch, options, WAYS[way])
        admitting[way] = timed(lambda loop=loop, admitted=admitted: loop.admit(admitted))
    order = list(WAYS)
    steps = min(options.steps or options.new_tokens, options.new_tokens) - 1  # the prompt gives the first token
    for _ in range(steps):
        for way in order:
            stepping[way] += timed(loops[way].step)
        order.append(order.pop(0))
    for loop in reversed(loops.values()):
        loop.close()
    return {way: admitting[way] + stepping[way] * (options.new_tokens - 1) / steps for way in WAYS}


def requests(
    engine: TransformersEngine, batch: int, options: argparse.Namespace, settings: dict[str, object]
) -> list[Request]:
    """Prompts of `context` tokens."""
    found = []
    for i in range(batch):
        text = TEXT.format(n=3 + i, m=2 + i % 5, k=i % 4, p=1 + i % 7) * (1 + options.context // 20)
        prompt = tuple(engine.tokenizer(text)["input_ids"][: options.context])
        sampling = Sampling(do_sample=False, max_new_tokens=options.new_tokens)
        found.append(Request(id=str(i), prompt=prompt, sampling=sampling, seed=i, ignore_eos=True, **settings))
    return found


def timed(work: Callable[[], object]) -> float:
    """CPU seconds, or wall seconds on CUDA."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - began
    before = time.process_time()
    work()
    return time.process_time() - before


if __name__ == "__main__":
    main()

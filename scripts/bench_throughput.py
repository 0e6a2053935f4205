"""Tokens per second of the same prompts: `model.generate`, our engine, and the released code's way, interleaved.

`python scripts/bench_throughput.py --model_path demo` decodes every row to the same length: greedily, or with
`--sampled` as answers to score are, at temperature 0.6 and top-p 0.95. Our engine's ways (plain, monitoring only,
SRGen) take turns step by step, so that a drift of the machine weighs on all alike; the others run whole, once a
repeat. Reflections come on a schedule, at the paper's rate of about 6 in 700 tokens, and seldom to two samples at
once. Every row has a prompt of its own; with `--samples 8` eight rows share one, as in a run with `--average 8`.
`--shape qwen2.5-7b` builds a random model of that shape on the device instead. Ratios are of CPU seconds on the CPU
(the wall clock of a shared machine says little) and of wall seconds on CUDA.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from bench_reflection import TEXT, by_autograd
from scheduled_triggers import PAPER_RATE, install, scheduled
from transformers import AutoModelForCausalLM, DynamicCache, Qwen2Config

from srgen import Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig
from srgen.engines.transformers.decode_loop import DecodeLoop
from srgen.engines.transformers.engine import TransformersEngine, load_model
from srgen.method.entropy import entropy
from srgen.method.readout import readout_of

GENERATE, PLAIN, RELEASED = "model.generate", "engine, plain", "the released code's way, paper's rate"
SHAPES = {
    "qwen2.5-7b": Qwen2Config(
        vocab_size=152064,
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        max_position_embeddings=131072,
        tie_word_embeddings=False,
    ),
    "tiny": Qwen2Config(
        vocab_size=5003,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    ),
}


class NoTokenizer:
    """Enough of a tokenizer for prompts that are token ids."""

    eos_token_id = None

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(character) for character in text]}

    def decode(self, tokens: Any, **_: Any) -> str:
        return ""


class Run(NamedTuple):
    """What a run took, and its reflections."""

    cpu: float
    wall: float
    reflections: float

    def __add__(self, other: object) -> Run:
        return Run(*map(sum, zip(self, other, strict=True)))

    def times(self, factor: float) -> Run:
        """In proportion."""
        return Run(*(factor * value for value in self))

    def seconds(self, cuda: bool) -> float:
        """Wall seconds on CUDA, CPU seconds elsewhere."""
        return self.wall if cuda else self.cpu


class Bench:
    """One model, and the ways of decoding a batch of prompts with it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.cuda = arguments.device.startswith("cuda")
        self.new_tokens = arguments.new_tokens
        self.sampling = (
            {"do_sample": True, "temperature": 0.6, "top_p": 0.95} if arguments.sampled else {"do_sample": False}
        )
        tokenizer: Any
        if arguments.shape:
            with torch.device(arguments.device):
                model = AutoModelForCausalLM.from_config(SHAPES[arguments.shape], dtype=torch.bfloat16).eval()
            tokenizer = NoTokenizer()
        else:
            config = EngineConfig(model_path=arguments.model_path, device=arguments.device)
            model, tokenizer = load_model(config)
        model.generation_config.eos_token_id = None
        self.model, self.context = model, arguments.context
        # An engine that loads a model itself may lay its weights out anew; the others get it as transformers has it.
        self.engine = TransformersEngine(model, tokenizer) if arguments.shape else TransformersEngine.load(config)
        self.readout = readout_of(model)

    def prompts(self, count: int) -> list[list[int]]:
        """Prompts of `context` tokens: text where there is a tokenizer, else random ids."""
        if isinstance(self.engine.tokenizer, NoTokenizer):
            generator = torch.Generator().manual_seed(0)
            vocabulary = self.model.config.vocab_size
            return torch.randint(vocabulary, (count, self.context), generator=generator).tolist()
        found = []
        for i in range(count):
            text = TEXT.format(n=3 + i, m=2 + i % 5, k=i % 4, p=1 + i % 7) * (1 + self.context // 20)
            found.append(self.engine.tokenizer(text)["input_ids"][: self.context])
        return found

    def by_generate(self, prompts: list[list[int]]) -> int:
        """transformers' own loop; no reflections."""
        ids = torch.tensor(prompts, device=self.model.device)
        mask = torch.ones_like(ids)
        self.model.generate(ids, attention_mask=mask, max_new_tokens=self.new_tokens, pad_token_id=0, **self.sampling)
        return 0

    def requests(self, prompts: list[list[int]], config: SRGenConfig | None) -> list[Request]:
        """One request for each prompt."""
        sampling = Sampling(max_new_tokens=self.new_tokens, **self.sampling)
        return [
            Request(id=str(i), prompt=tuple(p), sampling=sampling, seed=i, srgen=config, ignore_eos=True)
            for i, p in enumerate(prompts)
        ]

    def in_turn(self, prompts: list[list[int]], ways: dict[str, SRGenConfig | None]) -> dict[str, Run]:
        """Our engine's ways, all prompts of each in one batch of its own, one step each in turn."""
        loops = {name: DecodeLoop(self.engine.model, self.engine.tokenizer) for name in ways}
        runs = {}
        for name, loop in loops.items():
            requests = self.requests(prompts, ways[name])
            runs[name] = self.timed(lambda loop=loop, requests=requests: reflections_of(loop.admit(requests)))
        order = list(loops)
        while any(len(loop) for loop in loops.values()):
            for name in order:
                if len(loops[name]):
                    runs[name] += self.timed(lambda loop=loops[name]: reflections_of(loop.step()))
            order.append(order.pop(0))
        for loop in reversed(loops.values()):
            loop.close()
        return runs

    @torch.no_grad()
    def by_released_way(self, prompts: list[list[int]], config: SRGenConfig) -> int:
        """Sample by sample; at a trigger the whole context is prefilled anew and optimised on by autograd.

        Returns the number of reflections.
        """
        reflections = 0
        for prompt in prompts:
            # There every sample begins with an optimisation on its prompt whose result is dropped.
            _, cache = self._reflect_anew(list(prompt[:-1]), config)
            tokens = list(prompt)
            while len(tokens) < len(prompt) + self.new_tokens:
                new = tokens[cache.get_seq_length() :]
                ids = torch.tensor([new], device=self.model.device)
                logits = self.model(input_ids=ids, past_key_values=cache, logits_to_keep=1).logits[0, -1].float()
                # The entropy is looked at, and the reflection comes on the schedule of our own.
                generated = len(tokens) - len(prompt)
                if float(entropy(logits)) >= 0 and generated and generated % int(config.entropy_threshold) == 0:
                    logits, cache = self._reflect_anew(tokens, config)
                    reflections += 1
                tokens.append(int(logits.argmax()))
        return reflections

    def _reflect_anew(self, tokens: list[int], config: SRGenConfig) -> tuple[torch.Tensor, DynamicCache]:
        """The prefill with logits of every position, as `forward` gives them, then the optimisation."""
        cache, ids = DynamicCache(), torch.tensor([tokens], device=self.model.device)
        states = self.model(input_ids=ids, past_key_values=cache, output_hidden_states=True).hidden_states[-1][0]
        with torch.enable_grad():
            delta = by_autograd(self.readout, states, ids[0], config)
        return self.readout.logits((states[-1].float() + delta)[None])[0], cache

    def timed(self, run: Callable[[], int]) -> Run:
        """Time something that returns its number of reflections."""
        if self.cuda:
            torch.cuda.synchronize()
        cpu, wall = time.process_time(), time.perf_counter()
        reflections = run()
        if self.cuda:
            torch.cuda.synchronize()
        return Run(time.process_time() - cpu, time.perf_counter() - wall, reflections)


def reflections_of(completions: Sequence[Any]) -> int:
    return sum(len(completion.reflections) for completion in completions)


def compare(bench: Bench, batch: int, arguments: argparse.Namespace) -> None:
    """One table: medians over repeats of tokens per second and of the ratios to the plain engine."""
    different = bench.prompts(-(-batch // arguments.samples))
    prompts = [different[row // arguments.samples] for row in range(batch)]
    paper = scheduled(PAPER_RATE)
    engines: dict[str, SRGenConfig | None] = {
        PLAIN: None,
        "engine, monitoring only": scheduled(0),
        "engine, SRGen at the paper's rate": paper,
    }
    if not arguments.without_tenfold:
        engines["engine, SRGen at ten times that"] = scheduled(10 * PAPER_RATE)
    alone = prompts[: arguments.released_prompts]
    runs: dict[str, list[Run]] = {name: [] for name in (GENERATE, *engines, RELEASED)}
    for repeat in range(arguments.repeat):
        if not arguments.without_generate:
            runs[GENERATE].append(bench.timed(lambda: bench.by_generate(prompts)))
        for name, run in bench.in_turn(prompts, engines).items():
            runs[name].append(run)
        if repeat < arguments.released_repeat:
            # One prompt after the other: all of them take in proportion.
            runs[RELEASED].append(bench.timed(lambda: bench.by_released_way(alone, paper)).times(batch / len(alone)))
    tokens = batch * bench.new_tokens
    plain = [run.seconds(bench.cuda) for run in runs[PLAIN]]
    released = statistics.median(run.seconds(bench.cuda) for run in runs[RELEASED]) if runs[RELEASED] else math.nan
    shared = f", {arguments.samples} samples of each" if arguments.samples > 1 else ""
    way = "sampled" if arguments.sampled else "greedy"
    print(f"\nbatch {batch}, prompts of {bench.context} tokens{shared}, {bench.new_tokens} new each, {way}")
    print("to plain: plain engine's time / this one's, median (lowest to highest) of the repeats")
    print("| way | reflections per 1,000 | tokens/s (wall) | tokens per CPU second | to plain | to the released way |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, found in runs.items():
        if found:
            ratios = sorted(p / run.seconds(bench.cuda) for p, run in zip(plain, found, strict=False))
            shown = f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
            cpu, wall, reflections = (statistics.median(column) for column in zip(*found, strict=True))
            gain = released / (wall if bench.cuda else cpu)
            speeds = f"{tokens / wall:.1f} | {tokens / cpu:.1f} | {shown} | {gain:.1f}"
            print(f"| {name} | {1000 * reflections / tokens:.1f} | {speeds} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", default="demo")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--shape", choices=sorted(SHAPES))
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--context", type=int, default=200, help="prompt length in tokens")
    parser.add_argument("--new_tokens", type=int, default=256)
    parser.add_argument("--samples", type=int, default=1, help="rows with the same prompt")
    parser.add_argument("--sampled", action="store_true", help="at temperature 0.6 and top-p 0.95, not greedily")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--without_generate", action="store_true", help="leave model.generate out")
    parser.add_argument("--without_tenfold", action="store_true", help="leave ten times the paper's rate out")
    parser.add_argument("--released_prompts", type=int, help="prompts given to the released code's way; default: all")
    parser.add_argument("--released_repeat", type=int, default=1, help="repeats of the released code's way")
    arguments = parser.parse_args()
    install()
    bench = Bench(arguments)
    for batch in arguments.batch_sizes:
        compare(bench, batch, arguments)


if __name__ == "__main__":
    main()

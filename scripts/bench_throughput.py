"""Tokens per second of the same prompts: `model.generate`, our engine, and the released code's way, interleaved.

`python scripts/bench_throughput.py --model_path demo` decodes greedily, every row to the same length. Trigger rates are
set by a static threshold taken from the model's own entropies: the paper's rate is about 6 reflections in 700 tokens.
`--shape qwen2.5-7b` builds a random model of that shape on the device instead. Ratios are of CPU seconds on the CPU
(the wall clock of a shared machine says little) and of wall seconds on CUDA.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from bench_reflection import TEXT, by_autograd
from transformers import AutoModelForCausalLM, DynamicCache, Qwen2Config

from srgen import Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig
from srgen.engines.transformers import TransformersEngine, load_model
from srgen.entropy import entropy
from srgen.readout import readout_of

PAPER_RATE = 6 / 700
NEVER = 1e9
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
    )
}


class NoTokenizer:
    """Enough of a tokenizer for prompts that are token ids."""

    eos_token_id = None

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(character) for character in text]}

    def decode(self, tokens: Any, **_: Any) -> str:
        return ""


class Bench:
    """One model, and the ways of decoding a batch of prompts with it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.cuda = arguments.device.startswith("cuda")
        self.new_tokens = arguments.new_tokens
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
            return torch.randint(1000, 100_000, (count, self.context), generator=generator).tolist()
        found = []
        for i in range(count):
            text = TEXT.format(n=3 + i, m=2 + i % 5, k=i % 4, p=1 + i % 7) * (1 + self.context // 20)
            found.append(self.engine.tokenizer(text)["input_ids"][: self.context])
        return found

    def by_generate(self, prompts: list[list[int]]) -> int:
        """transformers' own loop; no reflections."""
        ids = torch.tensor(prompts, device=self.model.device)
        mask = torch.ones_like(ids)
        self.model.generate(ids, attention_mask=mask, max_new_tokens=self.new_tokens, do_sample=False, pad_token_id=0)
        return 0

    def by_engine(self, prompts: list[list[int]], config: SRGenConfig | None) -> int:
        """Our engine, all prompts in one batch; the number of reflections."""
        return sum(len(completion.reflections) for completion in self.completions(prompts, config))

    def completions(self, prompts: list[list[int]], config: SRGenConfig | None, record: bool = False) -> list[Any]:
        """What our engine makes of the prompts, all in one batch."""
        self.engine.batch_size = len(prompts)
        sampling = Sampling(do_sample=False, max_new_tokens=self.new_tokens)
        requests = [
            Request(
                id=str(i),
                prompt=tuple(p),
                sampling=sampling,
                seed=i,
                srgen=config,
                ignore_eos=True,
                record_entropy=record,
            )
            for i, p in enumerate(prompts)
        ]
        return list(self.engine.generate(requests))

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
                if len(tokens) > len(prompt) and float(entropy(logits)) > config.entropy_threshold:
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

    def thresholds(self, prompts: list[list[int]], rates: Sequence[float]) -> list[float]:
        """The entropies that fractions `rates` of the steps exceed."""
        values = [v for c in self.completions(prompts, None, record=True) for v in c.entropies[1:]]
        return [float(torch.tensor(values).quantile(1 - rate)) for rate in rates]

    def seconds(self, run: Callable[[], int]) -> tuple[float, float, int]:
        """(CPU seconds of the process, wall seconds, reflections) of one run."""
        if self.cuda:
            torch.cuda.synchronize()
        cpu, wall = time.process_time(), time.perf_counter()
        reflections = run()
        if self.cuda:
            torch.cuda.synchronize()
        return time.process_time() - cpu, time.perf_counter() - wall, reflections


def static(threshold: float) -> SRGenConfig:
    return SRGenConfig(adaptive_entropy=False, entropy_threshold=threshold, max_retries=10**6)


def compare(bench: Bench, batch: int, arguments: argparse.Namespace) -> None:
    """One table: medians over interleaved repeats, tokens per second and the ratio to the plain engine."""
    prompts = bench.prompts(batch)
    paper, tenfold = map(static, bench.thresholds(prompts, (PAPER_RATE, 10 * PAPER_RATE)))
    ways: dict[str, Callable[[], int]] = {
        "model.generate": lambda: bench.by_generate(prompts),
        "engine, plain": lambda: bench.by_engine(prompts, None),
        "engine, monitoring only": lambda: bench.by_engine(prompts, static(NEVER)),
        "engine, SRGen at the paper's rate": lambda: bench.by_engine(prompts, paper),
        "engine, SRGen at ten times that": lambda: bench.by_engine(prompts, tenfold),
    }
    released = "the released code's way, paper's rate"
    times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in [*ways, released]}
    if arguments.ways:
        wanted = ["engine, plain", *arguments.ways]
        ways = {name: way for name, way in ways.items() if any(part in name for part in wanted)}
    alone = prompts[: arguments.released_prompts]
    for repeat in range(arguments.repeat):
        # The order turns round, so that a drift of the machine weighs on no way more than on another.
        for name in list(ways)[:: 1 if repeat % 2 == 0 else -1]:
            times[name].append(bench.seconds(ways[name]))
        if repeat < arguments.released_repeat:
            cpu, wall, reflections = bench.seconds(lambda: bench.by_released_way(alone, paper))
            # One prompt after the other: all of them would take in proportion.
            share = len(alone) / batch
            times[released].append((cpu / share, wall / share, reflections / share))
    kind = 1 if bench.cuda else 0  # of the (CPU, wall) seconds
    tokens = batch * bench.new_tokens
    plain = [seconds[kind] for seconds in times["engine, plain"]]
    print(f"\nbatch {batch}, prompts of {bench.context} tokens, {bench.new_tokens} new each")
    print("ratio to plain: plain engine's time / this one's, median over pairs of one repeat")
    print("| way | reflections per 1,000 | tokens/s (wall) | tokens per CPU second | to plain | to the released way |")
    print("| --- | --- | --- | --- | --- | --- |")
    base = statistics.median(seconds[kind] for seconds in times[released]) if times[released] else math.nan
    for name, found in times.items():
        if found:
            ratio = statistics.median(p / seconds[kind] for p, seconds in zip(plain, found, strict=False))
            cpu, wall, reflections = (statistics.median(column) for column in zip(*found, strict=True))
            speeds = f"{tokens / wall:.1f} | {tokens / cpu:.1f} | {ratio:.3f} | {base / (cpu, wall)[kind]:.1f}"
            print(f"| {name} | {1000 * reflections / tokens:.1f} | {speeds} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", default="demo")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--shape", choices=sorted(SHAPES))
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--context", type=int, default=200, help="prompt length in tokens")
    parser.add_argument("--new_tokens", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--ways", nargs="+", help="only those whose names contain one of these, and the plain engine")
    parser.add_argument("--released_prompts", type=int, help="prompts given to the released code's way; default: all")
    parser.add_argument("--released_repeat", type=int, default=1, help="repeats of the released code's way")
    arguments = parser.parse_args()
    bench = Bench(arguments)
    for batch in arguments.batch_sizes:
        compare(bench, batch, arguments)


if __name__ == "__main__":
    main()

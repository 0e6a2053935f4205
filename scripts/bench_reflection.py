"""One reflection against the context's length: autograd over the context, exact closed form, sketch and support.

`python scripts/bench_reflection.py --model_path demo` measures CPU seconds (device seconds on CUDA) and the peak of
extra memory; `--accuracy` measures the errors of sketch and support on real triggers of the model; `--together 1 2 4`
compares the sketch's way, which reads all of W 2 * times times, with the support's, for rows that reflect together;
`--shape qwen2.5-7b --device cuda` uses a head of that shape with random weights and contexts instead of a model;
`--model h100-7b` measures nothing: it prints what a 7B model on an H100 has to read from memory (bytes_model.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from unittest.mock import patch

import torch
from bytes_model import bandwidth, print_model, sketch_bytes, support_bytes
from torch import Tensor

from srgen import Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig
from srgen.engines.transformers.engine import TransformersEngine
from srgen.method.context import SketchStore, context_store
from srgen.method.readout import Readout, decoder_of, readout_of
from srgen.method.reflection import Corrected, CrossEntropy, reflect
from srgen.method.rows import Rows
from srgen.method.support import reflect_on_support, supports_of

TEXT = (
    "A farmer has {n} hens and each hen lays {m} eggs a day. He keeps {k} of them for his family and sells the rest at "
    "the market for {p} dollars each. How much does he earn in a week, and how would that change with two more hens? "
)
SHAPES = {"qwen2.5-7b": (152064, 3584), "smollm2-135m": (49152, 576)}
METHODS = ("autograd", "exact", "sketch", "support")


def context_of(arguments: argparse.Namespace, length: int) -> tuple[Readout, Tensor, Tensor]:
    """(readout, hidden states (length, d), token ids (length,)) of real text, or random ones of a shape."""
    if arguments.shape:
        vocabulary, hidden = SHAPES[arguments.shape]
        dtype = torch.bfloat16 if arguments.device.startswith("cuda") else torch.float32
        return random_context(vocabulary, hidden, length, torch.device(arguments.device), dtype)
    engine = TransformersEngine.load(EngineConfig(model_path=arguments.model_path, device=arguments.device))
    model, tokenizer = engine.model, engine.tokenizer
    text = "".join(TEXT.format(n=3 + i, m=2 + i % 5, k=i % 4, p=1 + i % 7) for i in range(length // 20))
    ids = torch.tensor([tokenizer(text)["input_ids"][:length]], device=model.device)
    with torch.inference_mode():
        states = decoder_of(model)(input_ids=ids).last_hidden_state[0]
    return readout_of(model), states.clone(), ids[0]


def random_context(
    vocabulary: int, hidden: int, length: int, device: torch.device, dtype: torch.dtype
) -> tuple[Readout, Tensor, Tensor]:
    """A random head and context whose tokens are as unequally likely as those of text.

    One coordinate of the states is constant, and its column of W makes the average distribution a power law: without
    that, nearly every token would belong to the support. With this exponent 4,000 of 49,152 do, as in the demo model.
    """
    generator = torch.Generator(device).manual_seed(0)
    options = {"generator": generator, "device": device, "dtype": dtype}
    likelihood = torch.arange(1, vocabulary + 1, device=device).float() ** -1.7
    weight = torch.randn(vocabulary, hidden, **options) * hidden**-0.5
    states = torch.randn(length, hidden, **options) * 3
    weight[:, 0], states[:, 0] = likelihood.log() / 16, 16
    ids = torch.multinomial(likelihood, length, replacement=True, generator=generator)
    return Readout(weight), states, ids


def by_autograd(readout: Readout, states: Tensor, ids: Tensor, config: SRGenConfig) -> Tensor:
    """What the released code does after its prefill: logits of the whole context in float32, autograd, AdamW."""
    # There the LM head's weight is a parameter that wants its gradient too, though nobody uses it.
    weight = readout.weight.float().clone().requires_grad_()
    hidden = states.float()
    delta = torch.zeros(hidden.shape[1], device=hidden.device, requires_grad=True)
    optimizer = torch.optim.AdamW([delta], lr=config.lr, eps=1e-5, weight_decay=1e-8)
    for _ in range(config.times):
        logits = (hidden + delta) @ weight.T
        fidelity = torch.nn.functional.cross_entropy(logits[:-1], ids[1:])
        log_probabilities = torch.log_softmax(logits[-1], -1)
        uncertainty = -(log_probabilities.exp() * log_probabilities).sum()
        optimizer.zero_grad()
        weight.grad = None
        ((1 - config.entropy_weight) * fidelity + config.entropy_weight * uncertainty).backward()
        optimizer.step()
    return delta.detach()


def prepared(method: str, readout: Readout, states: Tensor, ids: Tensor, config: SRGenConfig) -> Callable[[], Tensor]:
    """The reflection as a function of no argument; filling the context is not part of it, as in a generation."""
    if method == "autograd":
        return lambda: by_autograd(readout, states, ids, config)
    run = together(readout, states, ids, dataclasses.replace(config, reflection=method))
    return lambda: run().delta[0]


def together(
    readout: Readout, states: Tensor, ids: Tensor, config: SRGenConfig, rows: int = 1
) -> Callable[[], Corrected]:
    """A reflection of so many rows: a context of the states but the last, then of all but the last two, ..."""
    store = context_store(readout, config.reflection, config.sketch_top)
    slots = []
    with torch.inference_mode():
        for row in range(rows):
            length = len(states) - 1 - row
            slots.append(store.open())
            for start in range(0, length, 64):
                part = states[start : min(start + 64, length)]
                labels = ids[start + 1 : start + 1 + len(part)]
                store.append([slots[-1]] * len(part), labels, Rows(part, readout.logits(part)))
        last = readout.logits(states[-rows:].flip(0))
    temperature = torch.ones(rows, device=last.device)

    @torch.inference_mode()
    def run() -> Corrected:
        if isinstance(store, SketchStore) and config.reflection == "support":
            return reflect_on_support(readout, store.sketches(slots), last, temperature, config)
        contexts: list[CrossEntropy] = [partial(store.cross_entropy, slot) for slot in slots]
        if isinstance(store, SketchStore):
            contexts = [store.sketch(slot).only for slot in slots]
        return reflect(readout, contexts, last, temperature, config)

    return run


def rows_together(arguments: argparse.Namespace) -> None:
    """Wall milliseconds of one event, both ways in turn, W out of the cache before each: medians and their ratio."""
    readout, states, ids = context_of(arguments, max(arguments.lengths))
    sweep = torch.zeros(32 << 20, device=states.device)
    cuda = arguments.device.startswith("cuda")
    speed = bandwidth(states.device)
    print(f"floor: the bytes that must be read and written, at the {speed / 1e9:,.0f} GB/s of a copy on this device")
    print("| context | rows | sketch, ms (floor) | support, ms (floor) | sketch / support | tokens of the support |")
    print("| --- | --- | --- | --- | --- | --- |")
    for length in arguments.lengths:
        for rows in arguments.together:
            runs = {
                method: together(readout, states[:length], ids[:length], SRGenConfig(reflection=method), rows)
                for method in ("sketch", "support")
            }
            times: dict[str, list[float]] = {method: [] for method in runs}
            for _ in range(arguments.repeat):
                for method, run in runs.items():
                    sweep.add_(1.0)
                    if cuda:
                        torch.cuda.synchronize()
                    start = time.perf_counter()
                    run()
                    if cuda:
                        torch.cuda.synchronize()
                    times[method].append(1e3 * (time.perf_counter() - start))
            with patch("srgen.method.support.supports_of", wraps=supports_of) as supported:
                runs["support"]()
            size = sum(float(call.args[3].sum()) for call in supported.call_args_list) / rows
            sketch, support = (statistics.median(times[method]) for method in ("sketch", "support"))
            ratio = statistics.median(a / b for a, b in zip(times["sketch"], times["support"], strict=True))
            weight = readout.weight
            floors = (
                sketch_bytes(weight.nbytes),
                support_bytes(weight.nbytes, weight.itemsize, weight.shape[1], rows, size),
            )
            cells = [
                f"{value:.2f} ({1e3 * floor / speed:.2f})"
                for value, floor in zip((sketch, support), floors, strict=True)
            ]
            print(f"| {length} | {rows} | {' | '.join(cells)} | {ratio:.2f} | {size:,.0f} |", flush=True)


def measure(arguments: argparse.Namespace) -> None:
    """One row of the table in this process: seconds (CPU or device) and the peak of extra memory in MB."""
    method, length = arguments.one[0], int(arguments.one[1])
    cuda = arguments.device.startswith("cuda")
    config = SRGenConfig(times=3)
    readout, states, ids = context_of(arguments, length)
    run = prepared(method, readout, states, ids, config)
    peak, before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
    if cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    seconds = []
    for _ in range(arguments.repeat):
        if cuda:
            torch.cuda.synchronize()
        start = time.perf_counter() if cuda else time.process_time()
        run()
        if cuda:
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() if cuda else time.process_time()) - start)
    if cuda:
        extra = (torch.cuda.max_memory_allocated() - before) / 1e6
    else:
        extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1e3
    print(statistics.median(seconds), extra)


def table(arguments: argparse.Namespace) -> None:
    """Every method at every length, each in a process of its own (its peak memory is then its own), interleaved."""
    print(f"one reflection, times = 3, M = 256, {'device' if 'cuda' in arguments.device else 'CPU'} seconds (extra MB)")
    print("| context | " + " | ".join(METHODS) + " | autograd / support | autograd / exact |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for length in arguments.lengths:
        cells: dict[str, tuple[float, float]] = {}
        for method in METHODS:
            if method == "autograd" and length > arguments.autograd_up_to:
                continue
            command = [sys.executable, __file__, *sys.argv[1:], "--one", method, str(length)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, extra = map(float, output.split()[-2:])
            cells[method] = (seconds, extra)
        shown = [f"{cells[m][0]:.4f} ({cells[m][1]:.0f})" if m in cells else "-" for m in METHODS]
        ratios = [
            f"{cells['autograd'][0] / cells[m][0]:.1f}" if "autograd" in cells else "-" for m in ("support", "exact")
        ]
        print(f"| {length} | " + " | ".join(shown + ratios) + " |", flush=True)


def accuracy(arguments: argparse.Namespace) -> None:
    """The sketch's error against exact closed form at real triggers, contexts as the model generated them."""
    engine = TransformersEngine.load(EngineConfig(model_path=arguments.model_path, device=arguments.device))
    often = SRGenConfig(adaptive_entropy_K=2.0, minimal_std=0.1, minimal_threshold=1.0)
    requests = [
        Request(
            id=str(i),
            prompt=TEXT.format(n=3 + i, m=2 + i % 5, k=i % 4, p=1 + i % 7) * (1 + i % 3),
            sampling=Sampling(do_sample=False, max_new_tokens=160),
            seed=i,
            srgen=often,
        )
        for i in range(arguments.prompts)
    ]
    completions = {c.id: c for c in engine.generate(requests)}
    readout, decoder = readout_of(engine.model), decoder_of(engine.model)
    ways = {f"sketch, M = {top}": SRGenConfig(reflection="sketch", sketch_top=top) for top in arguments.tops}
    ways["support (the default)"] = SRGenConfig(reflection="support")
    ways |= {f"support, n = {size}": SRGenConfig(reflection="support", support_size=size) for size in arguments.sizes}
    errors: dict[str, list[tuple[float, float, bool]]] = {way: [] for way in ways}
    for request in requests:
        completion = completions[request.id]
        prompt = engine.tokenizer(request.prompt)["input_ids"]
        ids = torch.tensor(prompt + list(completion.token_ids), device=engine.model.device)
        with torch.inference_mode():
            states = decoder(input_ids=ids[None]).last_hidden_state[0]
        for reflection in completion.reflections:
            stop = len(prompt) + reflection.position
            exact = prepared("exact", readout, states[:stop], ids[:stop], SRGenConfig())()
            last = readout.logits(states[stop - 1 : stop])
            expected = last + readout.shift(exact[None])
            for way, config in ways.items():
                corrected = together(readout, states[:stop], ids[:stop], config)()
                delta, found = corrected.delta[0], corrected.logits
                distance = (found.softmax(-1) - expected.softmax(-1)).abs().sum().item() / 2
                changed = bool(found.argmax() != expected.argmax())
                errors[way].append((((delta - exact).norm() / exact.norm()).item(), distance, changed))
    count = len(next(iter(errors.values())))
    print(f"against exact closed form on {count} real triggers, times = 3, lr = 0.01")
    print("| way | error of delta, median | worst | total variation, median | worst | argmax changed |")
    print("| --- | --- | --- | --- | --- | --- |")
    for way, found in errors.items():
        deltas, distances, changes = zip(*found, strict=True)
        print(
            f"| {way} | {100 * statistics.median(deltas):.3f} % | {100 * max(deltas):.3f} % "
            f"| {statistics.median(distances):.1e} | {max(distances):.1e} | {sum(changes)} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model_path", default="demo")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--shape", choices=sorted(SHAPES))
    parser.add_argument("--lengths", type=int, nargs="+", default=[128, 256, 512, 1024, 2048, 4096, 8192])
    parser.add_argument("--autograd_up_to", type=int, default=4096, help="longest context for autograd, in tokens")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--prompts", type=int, default=8, help="prompts whose triggers --accuracy uses")
    parser.add_argument("--tops", type=int, nargs="+", default=[16, 64, 256, 1024])
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="fixed support sizes that --accuracy tries")
    parser.add_argument("--together", type=int, nargs="+", help="rows that reflect together")
    parser.add_argument("--model", choices=["h100-7b"], help="print the bytes model of this device and model instead")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.model:
        print_model()
    elif arguments.one:
        measure(arguments)
    elif arguments.accuracy:
        accuracy(arguments)
    elif arguments.together:
        rows_together(arguments)
    else:
        table(arguments)


if __name__ == "__main__":
    main()

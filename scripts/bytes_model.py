"""What a reflection must read from memory: the floor of its time, and the share of a step that it takes.

Batches of a GPU's size are bound by memory: a step reads every weight once, and the rows' keys and values.
"""

from __future__ import annotations

import math
import statistics
import time

import torch

TIMES = 3
RATE = 8.6 / 1000
"""Reflections a token, at the paper's settings."""
H100_BYTES_PER_SECOND = 3.35e12
QWEN_7B = {"weights": 15.2e9, "vocabulary": 152064, "hidden": 3584, "cache_per_token": 57344}
SUPPORT_SIZE = 8000
"""Tokens of a support of a 152k vocabulary; the result hardly depends on it, as W is 19 times as large."""


def sketch_bytes(weight: float) -> float:
    """An event by sketch, whatever its rows: W twice a step."""
    return 2 * TIMES * weight


def support_bytes(weight: float, itemsize: int, hidden: int, rows: int, size: float) -> float:
    """An event on supports: W once for all rows, then each row's block: gathered to float32, and read twice a step."""
    return weight + rows * size * hidden * (itemsize + 4 * (1 + 2 * TIMES))


def bandwidth(device: torch.device) -> float:
    """Bytes a second, read and written, of a large copy."""
    source = torch.ones(1 << (30 if device.type == "cuda" else 27), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(9):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        target.copy_(source)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return 2 * source.nbytes / statistics.median(seconds)


def events(batch: int, parked: int) -> tuple[float, float]:
    """(events a step, rows of one) where a row that triggers waits up to `parked` steps for others."""
    triggers = batch * RATE
    if parked:
        rows = max(1.0, triggers * parked)
        return triggers / rows, rows
    some = 1.0 - math.exp(-triggers)
    return some, triggers / some


def print_model() -> None:
    """A table of shares: batch, context, parking; by sketch and on a support."""
    weight = QWEN_7B["vocabulary"] * QWEN_7B["hidden"] * 2.0
    print(
        "Computed, not measured: a 7B model (bfloat16) on an H100 at 3.35 TB/s, 8.6 reflections in 1,000 tokens, T = 3."
    )
    print(
        "Share of reflections' bytes on top of a plain step's (weights, keys and values); no launches, no arithmetic."
    )
    print("| batch | context | parked up to | rows together | plain step, ms | sketch | support |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for batch in (1, 16, 64):
        for context in (1_000, 8_000):
            step = QWEN_7B["weights"] + batch * context * QWEN_7B["cache_per_token"]
            for parked in (0, 8, 16):
                count, rows = events(batch, parked)
                by_sketch = count * sketch_bytes(weight) / step
                on_support = count * support_bytes(weight, 2, int(QWEN_7B["hidden"]), 1, SUPPORT_SIZE * rows) / step
                print(
                    f"| {batch} | {context:,} | {parked} | {rows:.1f} | {1e3 * step / H100_BYTES_PER_SECOND:.2f} "
                    f"| {100 * by_sketch:.1f} % | {100 * on_support:.1f} % |"
                )

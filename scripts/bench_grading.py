"""Cases per second of our grading and of plain math-verify on the same labelled cases.

    python scripts/bench_grading.py CASES.jsonl [--rounds 3]

Plain math-verify parses the gold and the response and verifies, in one process and in two; its own timeouts are on.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

from evaluators.grading import GradingPool
from evaluators.grading.__main__ import kind_of

Case = dict[str, Any]


def ours(cases: list[Case], workers: int) -> tuple[float, int]:
    """(cases per second, right verdicts) of a warm pool."""
    with GradingPool(workers=workers) as pool:
        for future in [pool.submit("1", "1", "latex") for _ in range(20 * workers)]:
            future.result()
        start = time.perf_counter()
        kinds = [kind_of(c["benchmark_kind"], c["gold"]) for c in cases]
        futures = [pool.submit(c["response"], c["gold"], kind) for c, kind in zip(cases, kinds, strict=True)]
        verdicts = [future.result().status == "correct" for future in futures]
        seconds = time.perf_counter() - start
    return len(cases) / seconds, sum(v == c["correct"] for v, c in zip(verdicts, cases, strict=True))


def readers(cases: list[Case]) -> Counter[str | None]:
    """How many cases each reader decided."""
    with GradingPool(workers=1) as pool:
        kinds = [kind_of(c["benchmark_kind"], c["gold"]) for c in cases]
        futures = [pool.submit(c["response"], c["gold"], kind) for c, kind in zip(cases, kinds, strict=True)]
        return Counter(future.result().reader for future in futures)


def math_verify_verdict(case: Case) -> bool:
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    gold = case["gold"] if "$" in case["gold"] else f"${case['gold']}$"
    try:
        return bool(verify(parse(gold), parse(case["response"])))
    except Exception:
        return False


def plain_math_verify(cases: list[Case], workers: int) -> tuple[float, int]:
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(math_verify_verdict, cases[: 4 * workers], chunksize=1)
        start = time.perf_counter()
        verdicts = pool.map(math_verify_verdict, cases, chunksize=4)
        seconds = time.perf_counter() - start
    return len(cases) / seconds, sum(v == c["correct"] for v, c in zip(verdicts, cases, strict=True))


def median_milliseconds(cases: list[Case]) -> float:
    """Median time of one case in a warm worker, with the way there and back."""
    with GradingPool() as pool:
        pool.submit("1", "1", "latex").result()
        times = []
        for case in cases:
            start = time.perf_counter()
            pool.submit(case["response"], case["gold"], kind_of(case["benchmark_kind"], case["gold"])).result()
            times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="how often our grader goes over the cases")
    arguments = parser.parse_args()
    cases = [json.loads(line) for line in arguments.cases.read_text("utf-8").splitlines()]
    print(f"{len(cases)} cases; ours: median {median_milliseconds(cases):.2f} ms a case in a warm worker")
    found = readers(cases)
    second = found["symbolic"] + found["neither"]
    print(f"{second} of {len(cases)} cases ({100 * second / len(cases):.1f} %) reached the second reader")
    print("grader | workers | cases/s | right verdicts, %")
    for workers in (1, 2):
        rate, right = ours(cases * arguments.rounds, workers)
        print(f"ours | {workers} | {rate:.0f} | {100 * right / len(cases) / arguments.rounds:.1f}")
    for workers in (1, 2):
        rate, right = plain_math_verify(cases, workers)
        print(f"math-verify | {workers} | {rate:.1f} | {100 * right / len(cases):.1f}")


if __name__ == "__main__":
    main()

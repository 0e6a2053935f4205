"""All benchmarks by name."""

from __future__ import annotations

from importlib import import_module

from evaluators.benchmarks.benchmark import Benchmark
from srgen.suggest import unknown_name

NAMES = ("aime", "hmmt", "amc", "math500", "gsm8k", "gpqa", "mini")


def benchmark_named(name: str) -> Benchmark:
    """The benchmark of that name. Raises ConfigError suggesting the nearest one."""
    if name not in NAMES:
        raise unknown_name("benchmark", name, NAMES)
    benchmark: Benchmark = import_module(f"evaluators.{name}").BENCHMARK
    return benchmark


def listing() -> str:
    """One line per benchmark and version: name, version, questions, where the questions are."""
    lines = [("benchmark", "version", "questions", "source")]
    for benchmark in map(benchmark_named, NAMES):
        if benchmark.embedded:
            lines.append((benchmark.name, "", "", "embedded"))
        for index, (version, source) in enumerate(benchmark.versions.items()):
            where = f"{source.repository}{' (gated)' if source.gated else ''}"
            default = " (default)" if index == 0 and len(benchmark.versions) > 1 else ""
            lines.append((benchmark.name, version + default, str(source.questions), where))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )

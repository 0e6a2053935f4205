"""All benchmarks by name: the files of evaluators/ that assign BENCHMARK, and the entry points of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from evaluators.benchmarks.benchmark import Benchmark
from srgen.discovery import discover, load
from srgen.errors import ConfigError
from srgen.suggest import unknown_name

GROUP = "srgen.benchmarks"
"""The entry point group in which another package offers a `Benchmark` under its name."""


def benchmarks() -> dict[str, EntryPoint]:
    """Where each benchmark is, by name; none of them is imported. Raises ConfigError for a name that is taken twice."""
    return discover("evaluators", "BENCHMARK", GROUP)


def benchmark_named(name: str) -> Benchmark:
    """The benchmark of that name. Raises ConfigError for an unknown name, suggesting the nearest one."""
    known = benchmarks()
    if name not in known:
        raise unknown_name("benchmark", name, known)
    benchmark = load(known[name])
    if not isinstance(benchmark, Benchmark) or benchmark.name != name:
        raise ConfigError(f"{known[name].value} is not a Benchmark called {name!r}")
    return benchmark


def listing() -> str:
    """One line per benchmark and version: name, version, questions, where the questions are."""
    lines = [("benchmark", "version", "questions", "source")]
    for benchmark in map(benchmark_named, benchmarks()):
        if benchmark.embedded:
            lines.append((benchmark.name, "", "", "embedded"))
        elif not benchmark.versions:
            lines.append((benchmark.name, "", "", "--dataset_path FILE"))
        for index, (version, source) in enumerate(benchmark.versions.items()):
            where = f"{source.repository}{' (gated)' if source.gated else ''}"
            default = " (default)" if index == 0 and len(benchmark.versions) > 1 else ""
            lines.append((benchmark.name, version + default, str(source.questions), where))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )

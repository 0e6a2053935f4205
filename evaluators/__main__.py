"""`python -m evaluators NAME ...` runs any benchmark; `--list` shows them all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluators.benchmarks.benchmark import Benchmark
from evaluators.benchmarks.custom import read_spec
from evaluators.benchmarks.registry import benchmark_named, benchmarks, listing
from evaluators.cli import USAGE_ERROR
from evaluators.cli import main as run_benchmark
from srgen.errors import ConfigError

USAGE = """usage: python -m evaluators NAME [flags]
       python -m evaluators NAME --help
       python -m evaluators custom --spec FILE.yaml [flags]
       python -m evaluators --list

NAME is one of {names}.
`custom` runs a benchmark of your own, which a YAML file describes."""


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark that the first argument names; the exit status."""
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(USAGE.format(names=", ".join(benchmarks())), file=sys.stdout if arguments else sys.stderr)
            return 0 if arguments else USAGE_ERROR
        if arguments[0] == "--list":
            print(listing())
            return 0
        if arguments[0] == "custom":
            benchmark, flags = _custom(arguments[1:])
        else:
            benchmark, flags = benchmark_named(arguments[0]), list(arguments[1:])
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return run_benchmark(benchmark, flags)


def _custom(arguments: Sequence[str]) -> tuple[Benchmark, list[str]]:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--spec", type=Path)
    given, flags = parser.parse_known_args(arguments)
    if given.spec is None:
        raise ConfigError("custom needs --spec FILE.yaml, which describes the benchmark; docs/extending.md shows one")
    return read_spec(given.spec.expanduser()), flags


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

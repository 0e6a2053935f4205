"""`python -m evaluators NAME ...` runs any benchmark; `--list` shows them all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from evaluators.benchmarks.benchmark import Benchmark
from evaluators.benchmarks.custom import read_spec
from evaluators.benchmarks.registry import benchmark_named, benchmarks, listing
from evaluators.cli import run as run_benchmark
from srgen.command_line import USAGE_ERROR, Parser, called, command, given
from srgen.errors import ConfigError

USAGE = """usage: {command} NAME [flags]
       {command} NAME --help
       {command} custom --spec FILE.yaml [flags]
       {command} --list

NAME is one of {names}.
`custom` runs a benchmark of your own, which a YAML file describes."""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark that the first argument names; the exit status."""
    name, *flags = given(arguments) or [""]
    if name in ("", "-h", "--help"):
        usage = USAGE.format(names=", ".join(benchmarks()), command=called("eval", "evaluators"))
        print(usage, file=sys.stdout if name else sys.stderr)
        return 0 if name else USAGE_ERROR
    if name == "--list":
        print(listing())
        return 0
    if name.startswith("-"):
        raise ConfigError(f"the benchmark's name comes first: {called('eval', 'evaluators')} NAME {name} ...")
    benchmark, flags = _custom(flags) if name == "custom" else (benchmark_named(name), flags)
    return run_benchmark(benchmark, flags)


def _custom(arguments: Sequence[str]) -> tuple[Benchmark, list[str]]:
    parser = Parser(add_help=False)
    parser.add_argument("--spec", type=Path)
    options, flags = parser.parse_known_args(arguments)
    if options.spec is None:
        raise ConfigError("custom needs --spec FILE.yaml, which describes the benchmark; docs/extending.md shows one")
    return read_spec(options.spec.expanduser()), flags


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m evaluators NAME ...` runs any benchmark; `--list` shows them all."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from evaluators.benchmarks.registry import NAMES, benchmark_named, listing
from evaluators.cli import USAGE_ERROR
from evaluators.cli import main as run_benchmark
from srgen.errors import ConfigError

USAGE = f"""usage: python -m evaluators NAME [flags]
       python -m evaluators NAME --help
       python -m evaluators --list

NAME is one of {", ".join(NAMES)}."""


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark that the first argument names; the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else USAGE_ERROR
    if arguments[0] == "--list":
        print(listing())
        return 0
    try:
        benchmark = benchmark_named(arguments[0])
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    return run_benchmark(benchmark, arguments[1:])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

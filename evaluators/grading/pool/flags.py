"""The flags of commands that grade and do nothing else, and the pool that they ask for."""

from __future__ import annotations

import argparse
import os

from evaluators.grading.pool.pool import GradingPool
from srgen.errors import ConfigError

WORKERS = min(2, os.cpu_count() or 1)
"""One grading process often waits for the process that reads and writes; a third has little to do."""


def add_grading_flags(parser: argparse.ArgumentParser) -> None:
    """`--grading_workers` and `--grading_timeout`."""
    parser.add_argument("--grading_workers", type=int, default=WORKERS, help="grading processes (default: %(default)s)")
    parser.add_argument("--grading_timeout", type=float, default=10.0, help="seconds a verdict (default: %(default)s)")


def grading_pool(options: argparse.Namespace) -> GradingPool:
    """The pool that the flags describe. Raises ConfigError for values that none can have."""
    if options.grading_workers < 1 or not options.grading_timeout > 0:
        raise ConfigError("--grading_workers must be at least 1 and --grading_timeout positive seconds")
    return GradingPool(options.grading_workers, options.grading_timeout)

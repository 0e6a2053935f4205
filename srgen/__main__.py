"""`python -m srgen --version`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import srgen


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the version; the exit status."""
    parser = argparse.ArgumentParser(prog="srgen", description="Self-reflective generation at test time.")
    parser.add_argument("--version", action="version", version=f"srgen {srgen.__version__}")
    parser.parse_args(arguments)
    parser.print_help()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

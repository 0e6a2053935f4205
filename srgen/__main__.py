"""`python -m srgen --version`."""

from __future__ import annotations

from collections.abc import Sequence

import srgen
from srgen.command_line import Parser, command


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the version; the exit status."""
    parser = Parser(
        prog="python -m srgen", description="Self-reflective generation at test time. `srgen --help` has the commands."
    )
    parser.add_argument("--version", action="version", version=f"srgen {srgen.__version__}")
    parser.parse_args(arguments)
    parser.print_help()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

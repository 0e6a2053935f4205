"""`python -m srgen.lm_eval ...`: lm-eval's own command line, with the model `srgen` registered.

lm-eval has no entry points, so something has to import the model before it looks for the name.
"""

from __future__ import annotations

from srgen.command_line import tell
from srgen.errors import SRGenError
from srgen.extras import install


def main() -> int:
    """Hand on to lm-eval; the exit status."""
    try:
        from lm_eval.__main__ import cli_evaluate
    except ImportError:
        tell(f"lm-eval is not installed: {install('lm-eval')}")
        return 2
    import srgen.plugins.lm_eval  # noqa: F401

    try:
        cli_evaluate()
    except SRGenError as error:
        tell(str(error))
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Evaluations: the files here are benchmarks and commands, the folders are the rooms that they are made from.

A command parses, calls and prints; everything about logits is in `srgen`.
"""

from typing import Any

_API = ("compare", "evaluate", "load_runs", "study_table")
__all__ = list(_API)


def __getattr__(name: str) -> Any:
    """Imported when it is first used, so that `import evaluators` costs nothing."""
    if name in _API:
        from evaluators import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

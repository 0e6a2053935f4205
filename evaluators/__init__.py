"""Evaluations: the files here are benchmarks and commands, the folders are the rooms that they are made from.

A command parses, calls and prints; everything about logits is in `srgen`.
"""

from importlib import import_module
from typing import Any

__all__ = ["compare", "evaluate", "load_runs", "study_table"]


def __getattr__(name: str) -> Any:
    """Imported when it is first used, so that `import evaluators` costs nothing.

    `compare` is the command's module, which can be called: a function of that name would be lost to it on import.
    """
    if name == "compare":
        return import_module("evaluators.compare")
    if name in __all__:
        return getattr(import_module("evaluators.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

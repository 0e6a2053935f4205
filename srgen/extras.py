"""What to do where an optional package is missing: the project is on no package index, extras come from its clone."""

from __future__ import annotations


def install(extra: str) -> str:
    """The command that brings an extra, as part of a sentence."""
    return f"run `pip install -e '.[{extra}]'` in the project's clone"

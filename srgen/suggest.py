"""Errors that suggest the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from srgen.errors import ConfigError


def unknown_name(what: str, name: str, known: Iterable[str], where: str = "") -> ConfigError:
    """An error for a name that is not known: the nearest ones, or all of them where none is near."""
    known = list(known)
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return ConfigError(f"unknown {what} {name!r}{where}; {hint}")

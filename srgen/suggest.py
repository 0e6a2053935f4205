"""Errors that suggest the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

from srgen.errors import ConfigError

MOST = 3
"""Names that are suggested at most."""
FEW = 12
"""So many known names are listed where none is near; more are not."""
AS_NEAR = 0.05
"""What is less near than the nearest by more than this is not suggested beside it."""


def unknown_name(what: str, name: str, known: Iterable[str], where: str = "", help_with: str = "") -> ConfigError:
    """An error for a name that is not known: the nearest ones, or all of a few; `help_with` lists many."""
    known = list(known)
    near = get_close_matches(name, known, n=MOST, cutoff=0.6)
    if near:
        best = _nearness(name, near[0])
        hint = f"did you mean {' or '.join(repr(n) for n in near if _nearness(name, n) > best - AS_NEAR)}?"
    elif len(known) <= FEW:
        hint = f"known: {', '.join(known)}"
    else:
        hint = (
            f"{help_with} lists all {len(known)}"
            if help_with
            else f"known: {', '.join(known[:MOST])} and {len(known) - MOST} more"
        )
    return ConfigError(f"unknown {what} {name!r}{where}; {hint}")


def _nearness(one: str, other: str) -> float:
    return SequenceMatcher(None, other, one).ratio()

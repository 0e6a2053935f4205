"""Words for lists."""

from __future__ import annotations

from collections.abc import Sequence


def together(names: Sequence[str]) -> str:
    """Several names in the space of one."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"

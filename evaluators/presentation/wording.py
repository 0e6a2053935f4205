"""Words for lists, and lines of a terminal's width."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

WIDTH = 100
"""Columns of what is printed."""


def together(names: Sequence[str]) -> str:
    """Several names in the space of one."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def fitted(text: str, indent: str = "  ") -> str:
    """One remark on as many lines as it takes."""
    wrapper = textwrap.TextWrapper(WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
    wrapper.break_on_hyphens = wrapper.break_long_words = False
    return "\n".join(wrapper.wrap(text))

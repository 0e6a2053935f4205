"""Checkpoints that a killed training goes on from."""

from __future__ import annotations

import json
import re
from pathlib import Path

STATE = "trainer_state.json"
"""What transformers writes last into a checkpoint."""


def last_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """The newest complete checkpoint and its step; a kill while one was written leaves it without a readable state."""
    found = []
    for checkpoint in folder.glob("checkpoint-*"):
        match = re.fullmatch(r"checkpoint-(\d+)", checkpoint.name)
        if match and _complete(checkpoint):
            found.append((int(match.group(1)), checkpoint))
    if not found:
        return None
    step, newest = max(found)
    return newest, step


def _complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return True

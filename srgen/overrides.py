"""SRGen's parameters as a request carries them, in its field `srgen`."""

from __future__ import annotations

import dataclasses
from typing import Any

from srgen.config import SRGenConfig

FIXED = ("reflection", "sketch_top", "support_size")
"""Parameters of the server alone: each value of them keeps a store of its own."""


def as_overrides(config: SRGenConfig) -> dict[str, Any]:
    """What a request's `srgen` field must hold for these parameters."""
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in FIXED}

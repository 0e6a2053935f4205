"""JSON as a browser takes it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np


def to_json(value: Any) -> str:
    """ASCII without NaN (null instead) that may stand inside a script element, whatever a model wrote."""
    text = json.dumps(_plain(value), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

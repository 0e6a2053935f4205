"""Floating-point numbers of DIGITS decimal digits, in a context of our own: mpmath's global one is not touched."""

from __future__ import annotations

from typing import Any

import mpmath  # type: ignore[import-untyped, unused-ignore]

DIGITS = 60
"""Decimal digits of an approximate value."""

mp: Any = mpmath.mp.clone()
mp.dps = DIGITS
mpf: Any = mp.mpf
mpc: Any = mp.mpc

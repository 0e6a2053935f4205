"""How sure a model was of each token, as far as an endpoint's log-probabilities tell; see srgen.method.signals."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from srgen.errors import ConfigError

LIKELIEST = 20
"""Tokens whose log-probabilities are asked for: as many as DeepConf's confidence is taken of."""
_LARGEST = 65504.0
"""Of float16."""
_UNKNOWN = (math.nan,) * 4


def asked(is_chat: bool) -> dict[str, Any]:
    """The fields of a request that ask for log-probabilities."""
    return {"logprobs": True, "top_logprobs": LIKELIEST} if is_chat else {"logprobs": LIKELIEST}


def signals_of(choice: Any, tokens: int) -> bytes:
    """Four little-endian float16 for each of a choice's `tokens`.

    NaN is what the endpoint does not tell: always the mean over the vocabulary; the mean of the 20 likeliest where it
    gives fewer; everything of tokens that it counts and does not list, which come last.
    Raises ConfigError where it gives no log-probabilities at all.
    """
    rows = [_row(chosen, likeliest) for chosen, likeliest in _steps(choice.logprobs)]
    if tokens and not rows:
        raise ConfigError("the endpoint gives no log-probabilities; leave --record_signals out")
    rows += [_UNKNOWN] * (tokens - len(rows))
    return b"".join(struct.pack("<4e", *row) for row in rows[:tokens])


def _steps(logprobs: Any) -> Iterator[tuple[float, list[float]]]:
    """Of each token: its log-probability, and those of the likeliest tokens, best first."""
    if getattr(logprobs, "content", None):  # a chat
        for entry in logprobs.content:
            yield entry.logprob, sorted((other.logprob for other in entry.top_logprobs), reverse=True)
    elif getattr(logprobs, "token_logprobs", None):
        tables = logprobs.top_logprobs or [None] * len(logprobs.token_logprobs)
        for chosen, table in zip(logprobs.token_logprobs, tables, strict=True):
            yield math.nan if chosen is None else chosen, sorted((table or {}).values(), reverse=True)


def _row(chosen: float, likeliest: Sequence[float]) -> tuple[float, ...]:
    mean = sum(likeliest[:LIKELIEST]) / LIKELIEST if len(likeliest) >= LIKELIEST else math.nan
    margin = math.exp(likeliest[0]) - math.exp(likeliest[1]) if len(likeliest) > 1 else math.nan
    return tuple(_bounded(value) for value in (chosen, mean, math.nan, margin))


def _bounded(value: float) -> float:
    return value if math.isnan(value) else max(-_LARGEST, min(_LARGEST, value))

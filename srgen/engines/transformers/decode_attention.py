"""Attention of one new token a row, over rows of different lengths, without copies of the keys and values.

Where heads share keys and values (grouped queries), transformers' SDPA repeats both for every head as soon as rows need
a mask, and reads and writes the whole cache several times a step. For a single query that is not needed: the heads of
a group are as good as several queries of one head.
"""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

IMPLEMENTATION = "srgen_sdpa"


def grouped_sdpa(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """See transformers' AttentionInterface: query (B, heads, T, size), output (B, T, heads, size)."""
    batch, heads, length, size = query.shape
    groups = key.shape[1]
    if length > 1 or heads == groups or attention_mask is None or options.get("position_bias") is not None:
        output: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return output
    grouped = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(batch, groups, heads // groups, size),
        key,
        value,
        attn_mask=attention_mask.expand(-1, -1, heads // groups, -1),
        scale=options.get("scaling"),
    )
    return grouped.reshape(batch, 1, heads, value.shape[3]), None


def replaces(model: Any) -> bool:
    """Whether this attention can take SDPA's place in a model.

    Some models do something of their own (sparse masks) where the attention has a name that they know.
    """
    if model.config._attn_implementation != "sdpa":
        return False
    try:
        source = inspect.getsource(sys.modules[type(model).__module__])
    except (OSError, KeyError):
        return False
    return _ASKS.search(source) is None


_ASKS = re.compile(r"_attn_implementation\s*(==|!=|in\b|not in\b)")

AttentionInterface.register(IMPLEMENTATION, grouped_sdpa)
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)

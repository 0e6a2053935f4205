"""The decoding step compiled by torch.compile, once for all lengths of the context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from srgen.engines.kv_cache import RaggedCache


class CompiledStep:
    """`model(...)` for steps of one token a row; compiled at the first call, which takes a minute or more."""

    def __init__(self, model: Any) -> None:
        # Freezing packs the weights for the batch's size, on which a CPU else spends more than on a small product.
        options: dict[str, Any] = {"freezing": model.device.type == "cpu"}
        self._compiled: Callable[..., Any] = torch.compile(model.forward, options=options)

    def __call__(self, *, attention_mask: Tensor, past_key_values: RaggedCache, **inputs: Any) -> Any:
        """The model's output; the context's width is told to be variable, else each width is compiled anew."""
        _vary(attention_mask, 1)
        for layer in past_key_values.layers:
            for window in layer.window:
                _vary(window, 2)
        return self._compiled(attention_mask=attention_mask, past_key_values=past_key_values, **inputs)


def _vary(tensor: Tensor, dimension: int) -> None:
    torch._dynamo.maybe_mark_dynamic(tensor, dimension)

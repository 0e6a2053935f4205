"""How sure a model was of each token: four numbers of the row that it was drawn from, at temperature 1."""

from __future__ import annotations

import torch
from torch import Tensor

from srgen.method.rows import Top, largest

LIKELIEST = 20
"""Tokens whose mean log-probability is DeepConf's confidence (arXiv 2508.15260)."""


def signals(logits: Tensor, tokens: Tensor, top: Top | None = None) -> Tensor:
    """(n, 4) float16 of rows (n, V), float32, and the tokens (n,) drawn from them; `top` is of the rows, if known.

    The log-probability of the token, the mean of the 20 likeliest ones' (all of a smaller vocabulary), the mean of the
    vocabulary's, and the likeliest probability less the second. What is below float16's range is its smallest number.
    """
    if top is None or top.values.shape[1] < LIKELIEST:
        top = largest(logits, LIKELIEST)
    partition = logits.logsumexp(dim=1)
    likeliest = top.values[:, :LIKELIEST]
    leading = (likeliest[:, :2] - partition[:, None]).exp()
    columns = [
        logits.gather(1, tokens[:, None])[:, 0] - partition,
        likeliest.mean(dim=1) - partition,
        logits.mean(dim=1) - partition,
        leading[:, 0] - leading[:, 1] if leading.shape[1] > 1 else leading[:, 0],
    ]
    limit = torch.finfo(torch.float16).max
    return torch.stack(columns, dim=1).clamp(-limit, limit).half()

"""How sure a model was of each token: four numbers of the row that it was drawn from, at temperature 1."""

from __future__ import annotations

import torch
from torch import Tensor

from srgen.method.rows import Top, largest

LIKELIEST = 20
"""Tokens whose mean log-probability is DeepConf's confidence (arXiv 2508.15260)."""


def signals(logits: Tensor, tokens: Tensor, top: Top | None = None) -> Tensor:
    """(n, 4) float16 of rows (n, V), float32, and the tokens (n,) drawn from them; `top` is of the rows, if known.

    The log-probability of the token, and the row's own signals. What is below float16's range is its smallest number.
    """
    partition = logits.logsumexp(dim=1)
    log_p = logits.gather(1, tokens[:, None]) - partition[:, None]
    return torch.cat([_half(log_p), _of_rows(logits, partition, top)], dim=1)


def row_signals(logits: Tensor, top: Top | None = None) -> Tensor:
    """(n, 3) float16 of rows (n, V), whatever is drawn from them.

    The mean log-probability of the 20 likeliest tokens (all of a smaller vocabulary), that of the vocabulary, and the
    likeliest probability less the second.
    """
    return _of_rows(logits, logits.logsumexp(dim=1), top)


def _of_rows(logits: Tensor, partition: Tensor, top: Top | None) -> Tensor:
    if top is None or top.values.shape[1] < LIKELIEST:
        top = largest(logits, LIKELIEST)
    likeliest = top.values[:, :LIKELIEST]
    leading = (likeliest[:, :2] - partition[:, None]).exp()
    columns = [
        likeliest.mean(dim=1) - partition,
        logits.mean(dim=1) - partition,
        leading[:, 0] - leading[:, 1] if leading.shape[1] > 1 else leading[:, 0],
    ]
    return _half(torch.stack(columns, dim=1))


def _half(values: Tensor) -> Tensor:
    limit = torch.finfo(torch.float16).max
    return values.clamp(-limit, limit).half()

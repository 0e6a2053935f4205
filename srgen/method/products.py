"""A few float32 rows times the LM head's matrix, accumulated in float32: what the time of a reflection goes into."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

SLICES = 256
"""W is multiplied in up to so many slices of its rows: a CPU works on a vector times a matrix with one core only, and a
slice that its cache holds serves several vectors."""


BAGS = 16
"""A block of a few thousand rows is summed in so many parts."""


def by_columns(rows: Tensor, matrix: Tensor) -> Tensor:
    """`rows` (R, d) times the transpose of `matrix` (V, d), of any dtype: (R, V)."""
    return _in_float32(rows, matrix, _by_columns)


def by_rows(rows: Tensor, matrix: Tensor) -> Tensor:
    """`rows` (R, V) times `matrix` (V, d), of any dtype: (R, d)."""
    return _in_float32(rows, matrix, _by_rows)


def blocks_by_columns(vectors: Tensor, blocks: Tensor) -> Tensor:
    """Blocks of W's rows (R, k, d) times a vector each, (R, d), of one dtype: (R, k)."""
    if len(blocks) == 1:
        return (blocks[0] @ vectors[0])[None]
    return torch.bmm(blocks, vectors[:, :, None])[:, :, 0]


def blocks_by_rows(vectors: Tensor, blocks: Tensor) -> Tensor:
    """A vector each, (R, k), times blocks of W's rows (R, k, d), of one dtype: (R, d)."""
    if len(blocks) > 1 or blocks.is_cuda:
        return torch.bmm(vectors[:, None], blocks)[:, 0]
    return _by_bags(vectors[0], blocks[0])[None]


def _by_bags(vector: Tensor, block: Tensor) -> Tensor:
    even = len(block) - len(block) % BAGS
    if not even:
        return vector @ block
    # Sums of weighted rows in a few bags, as below; a BLAS takes four times as long.
    ids = torch.arange(even, dtype=torch.int32).view(BAGS, -1)
    weights = vector[:even].view(BAGS, -1)
    sums = nn.functional.embedding_bag(ids, block, per_sample_weights=weights, mode="sum").sum(0)
    return sums if even == len(block) else sums.addmv_(block[even:].T, vector[even:])


def _in_float32(rows: Tensor, matrix: Tensor, product: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """A half-precision matrix is not converted: each row is scaled to 1 and split into two half-precision parts.

    That costs R more rows in a product whose time is that of reading the matrix.
    """
    if matrix.dtype == rows.dtype:
        return product(rows, matrix)
    largest = rows.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    scaled = rows / largest
    high = scaled.to(matrix.dtype)
    low = (scaled - high.float()).to(matrix.dtype)
    count = rows.shape[0]
    found = product(torch.cat([high, low]), matrix)
    return (found[:count] + found[count:]) * largest


def _by_columns(rows: Tensor, matrix: Tensor) -> Tensor:
    if rows.is_cuda:
        return _on_cuda(rows, matrix.T)
    matrix = _wide(matrix)
    slices = matrix.view(_slices(matrix), -1, matrix.shape[1])
    columns = rows.to(matrix.dtype).T.expand(len(slices), -1, -1)
    return torch.bmm(slices, columns).flatten(0, 1).T.contiguous()


def _by_rows(rows: Tensor, matrix: Tensor) -> Tensor:
    if rows.is_cuda:
        return _on_cuda(rows, matrix)
    # Sums of weighted rows, a bag for each slice and vector. That runs at the speed of memory, a BLAS at half of it.
    # The last slices come first: they may still be in the cache from the product by columns.
    matrix = _wide(matrix)
    count = _slices(matrix)
    weights = rows.to(matrix.dtype).view(len(rows), count, -1).transpose(0, 1).flip(0)
    ids = torch.arange(len(matrix), dtype=torch.int32).view(count, 1, -1).flip(0).expand_as(weights)
    sums = nn.functional.embedding_bag(ids.flatten(0, 1), matrix, per_sample_weights=weights.flatten(0, 1), mode="sum")
    return sums.view(count, len(rows), -1).sum(0)


def _slices(matrix: Tensor) -> int:
    return math.gcd(len(matrix), SLICES)


def _wide(matrix: Tensor) -> Tensor:
    """A CPU has no half-precision product that accumulates in float32."""
    return matrix.float() if matrix.dtype.itemsize == 2 else matrix


def _on_cuda(rows: Tensor, matrix: Tensor) -> Tensor:
    return torch.mm(rows, matrix, out_dtype=torch.float32) if matrix.dtype.itemsize == 2 else rows @ matrix

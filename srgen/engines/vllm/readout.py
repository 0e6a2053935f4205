"""The LM head of a model that vLLM holds, whole or as one rank's shard of the vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from srgen.errors import UnsupportedModelError
from srgen.method.products import by_columns, by_rows
from srgen.method.readout import Readout, logits_agree

HEADS = ("lm_head", "output", "model.embed_tokens")
"""Where vLLM's models keep their LM head: most of them, InternLM2, and Gemma 2."""


@dataclass(frozen=True, slots=True)
class ShardedReadout(Readout):
    """A head whose W is split by rows over the ranks of a group; every rank sees whole logits rows.

    `weight` (and `bias`) hold this rank's n rows, padding included: rank r has tokens r n .. r n + n - 1.
    """

    size: int = 0
    """V, without the padding."""
    rank: int = 0
    group: Any = None
    """The torch.distributed process group."""

    @property
    def vocabulary(self) -> int:
        """V, also where W is sharded."""
        return self.size

    def logits(self, hidden: Tensor) -> Tensor:
        """See Readout.logits; a collective call."""
        raw = self._gather(nn.functional.linear(hidden.to(self.weight), self.weight, self.bias)).float() * self.scale
        return raw if self.cap is None else self.cap * torch.tanh(raw / self.cap)

    def shift(self, delta: Tensor) -> Tensor:
        """See Readout.shift; a collective call: shards, then all-gather."""
        return self.scale * self._gather(by_columns(delta, self.weight))

    def pull_back(self, gradient: Tensor) -> Tensor:
        """See Readout.pull_back; a collective call: partial sums, then all-reduce."""
        rows = self.weight.shape[0]
        first = min(self.rank * rows, self.size)
        mine = gradient[:, first : first + rows]
        partial = by_rows(mine.contiguous(), self.weight[: mine.shape[1]])
        torch.distributed.all_reduce(partial, group=self.group)
        return self.scale * partial

    def rows(self, ids: Tensor) -> Tensor:
        """See Readout.rows; a collective call: every rank's own rows, then all-reduce."""
        first = self.rank * self.weight.shape[0]
        mine = ((ids >= first) & (ids < first + self.weight.shape[0])).nonzero()[:, 0]
        rows = torch.zeros(len(ids), self.hidden, device=self.device, dtype=self.dtype)
        rows[mine] = self.weight.index_select(0, ids[mine] - first).to(self.dtype) * self.scale
        torch.distributed.all_reduce(rows, group=self.group)
        return rows

    def _gather(self, shard: Tensor) -> Tensor:
        """All ranks' columns (R, n) side by side, without the padding: (R, V)."""
        parts = [torch.empty_like(shard) for _ in range(torch.distributed.get_world_size(self.group))]
        torch.distributed.all_gather(parts, shard.contiguous(), group=self.group)
        return torch.cat(parts, dim=1)[:, : self.size]


def vllm_readout(model: Any, compute_logits: Callable[[Tensor], Tensor], group: Any) -> Readout:
    """The head of a model that vLLM has loaded, checked against its own logits; `group` is its tensor parallel group.

    Raises UnsupportedModelError where the head is not linear with an optional scale and soft cap, or is quantized.
    """
    owners = (model, getattr(model, "language_model", None))
    owner = next((owner for owner in owners if hasattr(owner, "logits_processor") and _head(owner) is not None), None)
    head, layer = _head(owner), getattr(owner, "logits_processor", None)
    name = type(model).__name__
    if layer is None or head is None:
        raise UnsupportedModelError(f"{name} has no plain LM head in vLLM; SRGen needs its weight matrix")
    readout = _readout(head, layer, group)
    generator = torch.Generator().manual_seed(0)
    dtype = head.weight.dtype
    probe = torch.randn(8, readout.hidden, generator=generator).to(device=head.weight.device, dtype=dtype)
    if not logits_agree(readout.logits(probe), compute_logits(probe).float(), dtype):
        raise UnsupportedModelError(
            f"the logits of {name} are not those of a linear head with a known scale or soft cap; "
            "SRGen cannot correct them"
        )
    return readout


def _head(owner: object) -> Any:
    """The module with W; None where there is none. Models that tie it to their embeddings may have it there alone."""
    for name in HEADS:
        head: Any = owner
        for part in name.split("."):
            head = getattr(head, part, None)
        if isinstance(weight := getattr(head, "weight", None), Tensor) and weight.ndim == 2:
            return head
    return None


def _readout(head: Any, layer: Any, group: Any) -> Readout:
    weight, bias = head.weight.detach(), getattr(head, "bias", None)
    bias = bias.detach() if isinstance(bias, Tensor) else None
    ranks = torch.distributed.get_world_size(group)
    if ranks == 1:
        weight = weight[: layer.org_vocab_size]
        bias = None if bias is None else bias[: layer.org_vocab_size]
    if weight.device.type == "cpu":
        # As in srgen.method.readout: CPUs have no product of half-precision matrices that accumulates in float32.
        weight, bias = weight.float(), None if bias is None else bias.float()
    settings: dict[str, Any] = {"weight": weight, "bias": bias, "scale": layer.scale, "cap": layer.soft_cap}
    if ranks == 1:
        same = weight.dtype == head.weight.dtype
        return Readout(**settings, head=partial(_product, head, layer.org_vocab_size) if same else None)
    rank = torch.distributed.get_rank(group)
    return ShardedReadout(**settings, size=layer.org_vocab_size, rank=rank, group=group)


def _product(head: Any, size: int, states: Tensor) -> Tensor:
    """The head's W h + b as vLLM computes it, without the padding of the vocabulary."""
    logits: Tensor = head.quant_method.apply(head, states, bias=getattr(head, "bias", None))
    return logits[:, :size]

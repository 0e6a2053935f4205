"""The products with a sharded LM head, in two gloo processes, against the whole head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from torch import Tensor

from srgen.config import SRGenConfig
from srgen.engines.vllm.readout import ShardedReadout
from srgen.method.context import SketchStore
from srgen.method.readout import Readout
from srgen.method.reflection import reflect
from srgen.method.rows import Rows
from srgen.method.support import reflect_on_support

RANKS, HIDDEN, VOCABULARY, PADDED = 2, 8, 37, 40
CAP = 20.0


def whole(cap: float | None, bias: bool) -> Readout:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(VOCABULARY, HIDDEN, generator=generator)
    return Readout(weight, torch.randn(VOCABULARY, generator=generator) if bias else None, 1.5, cap)


def shard_of(readout: Readout, rank: int) -> ShardedReadout:
    """The rank's rows of the head, padded as vLLM pads them; what the padding holds must not matter."""

    def padded(values: Tensor) -> Tensor:
        rest = values.new_full((PADDED - VOCABULARY, *values.shape[1:]), 7.0)
        return torch.cat([values, rest])[rank * PADDED // RANKS : (rank + 1) * PADDED // RANKS]

    bias = None if readout.bias is None else padded(readout.bias)
    group = torch.distributed.group.WORLD
    return ShardedReadout(
        padded(readout.weight), bias, readout.scale, readout.cap, size=VOCABULARY, rank=rank, group=group
    )


def results(readout: Readout) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    hidden = torch.randn(12, HIDDEN, generator=generator)
    rows = torch.randn(3, VOCABULARY, generator=generator)
    store = SketchStore(readout, 6)
    slot = store.open()
    store.append([slot] * 12, torch.arange(12), Rows(hidden, readout.logits(hidden)))
    context = [lambda shift: store.cross_entropy(slot, shift)] * 3
    config = SRGenConfig(times=3, lr=0.05, support_size=20)
    corrected = reflect(readout, context, rows, torch.ones(3), config)
    on_support = reflect_on_support(readout, [store.sketch(slot)] * 3, rows, torch.ones(3), config)
    return {
        "logits": readout.logits(hidden),
        "shift": readout.shift(hidden),
        "pull_back": readout.pull_back(rows),
        "delta": corrected.delta,
        "corrected": corrected.logits,
        "delta on the support": on_support.delta,
        "corrected on the support": on_support.logits,
    }


def compare(rank: int, rendezvous: str, cap: float | None, bias: bool) -> None:
    torch.set_num_threads(1)
    readout = whole(cap, bias)
    # Before the group exists: the first optimiser imports torch._dynamo, which holds on to a group that it finds, and
    # gloo threads that live on into Python's exit may abort it.
    expected = results(readout)
    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=RANKS)
    shard = shard_of(readout, rank)
    assert shard.vocabulary == VOCABULARY
    assert shard.weight.shape[0] == PADDED // RANKS
    mine = results(shard)
    for name, values in expected.items():
        torch.testing.assert_close(mine[name], values, rtol=1e-4, atol=1e-5, msg=f"{name} on rank {rank}")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(("cap", "bias"), [(None, False), (CAP, True)])
def test_two_ranks_give_what_one_gives(tmp_path: Path, cap: float | None, bias: bool) -> None:
    torch.multiprocessing.spawn(compare, args=(str(tmp_path / "rendezvous"), cap, bias), nprocs=RANKS)

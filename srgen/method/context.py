"""What is kept of a context's logits rows, and its cross entropy under a shift of all of them (METHOD section 3).

L positions, V vocabulary, M kept entries, d hidden size. A store holds the contexts of many samples, each under a slot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from srgen.method.paging import PagedStore, chunk_rows, grown
from srgen.method.readout import Readout
from srgen.method.rows import Rows, largest
from srgen.method.sketch import Sketch, capped_logits, slope_of
from srgen.method.waiting import WaitingRows

SUPPORT_TAIL_POWER = 0.5
"""See `Sketch.tail_power`. With fewer entries a position more lies in the tails, and their shape counts."""


class ContextStore(Protocol):
    """Contexts of several samples; a slot is a small integer that belongs to one sample."""

    def open(self, prompt: int | None = None) -> int:
        """A slot whose context begins with that of the slot `prompt`, which stays open as long, or empty."""
        ...

    def close(self, slot: int) -> None:
        """Free a slot."""
        ...

    def append(self, slots: Sequence[int], labels: Tensor, rows: Rows) -> None:
        """Append n rows; labels (n,) are the tokens that followed."""
        ...

    def cross_entropy(self, slot: int, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Mean over the slot's positions of -log softmax(moved row)[label], and its gradient by the shift (V,).

        Both are 0 for an empty context.
        """
        ...


class ExactStore(PagedStore):
    """Keeps hidden states (d numbers a position) and computes their logits rows anew, a chunk at a time."""

    def __init__(self, readout: Readout) -> None:
        super().__init__(readout, readout.vocabulary)
        self._pools["hidden"] = torch.zeros(0, readout.hidden, dtype=readout.weight.dtype, device=readout.device)

    def append(self, slots: Sequence[int], labels: Tensor, rows: Rows) -> None:
        """Append rows; `hidden` is needed, the rest is not."""
        if rows.hidden is None:
            raise ValueError("the exact context needs hidden states")
        self._write(slots, {"labels": labels, "hidden": rows.hidden})

    def cross_entropy(self, slot: int, shift: Tensor) -> tuple[Tensor, Tensor]:
        """See ContextStore."""
        loss, gradient = shift.new_zeros(()), torch.zeros_like(shift)
        for chunk in self._chunks(slot):
            labels = chunk["labels"].long()[:, None]
            moved, slope = self._readout.moved_logits(chunk["hidden"], shift)
            probabilities = torch.softmax(moved, dim=-1)
            loss -= probabilities.gather(1, labels).clamp_min(torch.finfo(shift.dtype).tiny).log().sum()
            weight = probabilities if slope is None else probabilities.mul_(slope)
            label_slope = torch.ones_like(labels, dtype=shift.dtype) if slope is None else slope.gather(1, labels)
            gradient += weight.sum(0)
            gradient.index_add_(0, labels[:, 0], -label_slope[:, 0])
        return self._mean(slot, loss, gradient)


class SketchStore(PagedStore):
    """Keeps the M largest probabilities of a position (6 M bytes), and per sample the sum of what is outside them.

    Probabilities are stored in float16 rounded down; what the rounding leaves goes to the sample's rest vector, so that
    the sums at shift 0 are those of the full rows. With a soft cap the rest's mean slope is kept too.

    Rows wait as logits until there is a chunk of them, or a reflection wants them.
    """

    def __init__(self, readout: Readout, top: int, tail_power: float = 0.0) -> None:
        self.top = min(top, readout.vocabulary)
        self._tail_power = tail_power
        super().__init__(readout, self.top * 4)
        device = readout.device
        self._cap = math.inf if readout.cap is None else readout.cap
        self._pools |= {
            "ids": torch.zeros(0, self.top, dtype=torch.int32, device=device),
            "probabilities": torch.zeros(0, self.top, dtype=torch.float16, device=device),
            "label_logits": torch.zeros(0, device=device, dtype=readout.dtype),
            "log_partitions": torch.zeros(0, device=device, dtype=readout.dtype),
        }
        self._rest = torch.zeros(0, readout.vocabulary, device=device, dtype=readout.dtype)
        self._rest_slope = None if readout.cap is None else torch.zeros_like(self._rest)
        capacity = chunk_rows(device, readout.vocabulary)
        # A soft cap's slope is a function of the logits.
        keeps_logits = readout.cap is not None
        self._waiting = WaitingRows(capacity, readout.vocabulary, readout.dtype, device, keeps_logits)

    @property
    def nbytes(self) -> int:
        """Memory that the contexts take, without the rows that wait."""
        held = [*self._pools.values(), self._rest]
        return sum(pool.nbytes for pool in (held if self._rest_slope is None else [*held, self._rest_slope]))

    def open(self, prompt: int | None = None) -> int:
        """See ContextStore."""
        slot = super().open(prompt)
        slots = len(self._pages.lengths)
        self._rest = grown(self._rest, slots)
        self._rest[slot] = 0
        if self._rest_slope is not None:
            self._rest_slope = grown(self._rest_slope, slots)
            self._rest_slope[slot] = 0
        return slot

    def close(self, slot: int) -> None:
        """Free a slot; its waiting rows are forgotten."""
        super().close(slot)
        self._waiting.forget(slot)

    def room(self, count: int) -> Tensor | None:
        """Memory (count, V) for the probabilities of the next rows, which are not copied if they are put there.

        They are lost where other rows are appended first. None where there is not as much.
        """
        if count > self._waiting.free:
            self._flush()
        return self._waiting.room(count) if count <= self._waiting.free else None

    def append(self, slots: Sequence[int], labels: Tensor, rows: Rows) -> None:
        """Append rows; `logits` is needed, and what else is known is used: `top` where it holds at least M."""
        if rows.logits is None:
            raise ValueError("the sketch needs logits rows")
        top = None if rows.top is None or rows.top.ids.shape[1] < self.top else rows.top.first(self.top)
        rows = rows._replace(top=top)
        start = 0
        while start < len(slots):
            part = slice(start, min(start + self._waiting.free, len(slots)))
            self._waiting.add(slots[part], labels[part], rows.pick(part))
            if not self._waiting.free:
                self._flush()
            start = part.stop

    def _flush(self) -> None:
        """Move the waiting rows into the contexts."""
        taken = self._waiting.take()
        if not taken.slots:
            return
        _, logits, top, rest, peaks = taken.rows
        assert rest is not None
        exact, ids = largest(rest, self.top, peaks) if top is None else (rest.gather(1, top.ids), top.ids)
        # The largest probability gives the partition sum without another pass over the row.
        log_partitions = taken.largest_logits - exact[:, 0].log()
        stored = _float16_down(exact)
        kept = stored.to(rest.dtype)
        index = torch.tensor(taken.slots, device=rest.device)
        if self._rest_slope is not None:
            assert logits is not None
            kept_slope = kept * slope_of(capped_logits(kept, log_partitions, self._cap), self._cap)
            rest_slope = (rest * slope_of(logits, self._cap)).scatter_add_(1, ids, -kept_slope)
            self._rest_slope.index_add_(0, index, rest_slope)
        self._rest.index_add_(0, index, rest.scatter_(1, ids, exact - kept))
        self._write(
            taken.slots,
            {
                "labels": taken.labels,
                "ids": ids,
                "probabilities": stored,
                "label_logits": taken.label_logits,
                "log_partitions": log_partitions,
            },
        )

    def cross_entropy(self, slot: int, shift: Tensor) -> tuple[Tensor, Tensor]:
        """See ContextStore."""
        return self.sketch(slot).only(shift)

    def sketches(self, slots: Sequence[int]) -> list[Sketch]:
        """The slots' contexts as they are now, in order; good until rows are appended to one.

        A GPU takes all of them together, with as few launches as for one; a CPU one by one, as its cache holds that.
        """
        if self._readout.device.type == "cpu":
            return [self.sketch(slot) for slot in slots]
        return [self.sketch(*slots)]

    def sketch(self, *slots: int) -> Sketch:
        """The slots' contexts as they are now, together."""
        parts = [self._parts(slot) for slot in slots]
        together = [part for of_slot in parts for part in of_slot]
        if any(part in self._waiting for part in together):
            self._flush()
        lengths = [sum(self._pages.lengths[part] for part in of_slot) for of_slot in parts]
        owners = [row for row, of_slot in enumerate(parts) for _ in of_slot]
        # One index for both, as each list is a copy to the device.
        parted, owned = torch.tensor([together, owners], device=self._readout.device)
        rest = self._rest.new_zeros(len(slots), self._rest.shape[1]).index_add_(0, owned, self._rest[parted])
        slope = None
        if self._rest_slope is not None:
            slope = torch.zeros_like(rest).index_add_(0, owned, self._rest_slope[parted])
        rows = self._pages.rows(together).to(self._readout.device)
        columns = {name: pool.index_select(0, rows) for name, pool in self._pools.items()}
        move, cap = self._readout.move, self._cap
        return Sketch.build(lengths, columns, rest, slope, move=move, cap=cap, tail_power=self._tail_power)


def _float16_down(values: Tensor) -> Tensor:
    """Positive values rounded down to float16: the float16 numbers are ordered like their bit patterns."""
    nearest = values.half()
    return (nearest.view(torch.int16) - (nearest.to(values.dtype) > values).to(torch.int16)).view(torch.float16)


def context_store(readout: Readout, mode: str, top: int) -> ContextStore:
    """The store for `--reflection support|sketch|exact`."""
    if mode == "exact":
        return ExactStore(readout)
    return SketchStore(readout, top, SUPPORT_TAIL_POWER if mode == "support" else 0.0)

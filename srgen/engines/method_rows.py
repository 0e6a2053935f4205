"""The methods of the samples in flight, applied to the rows of a step; the same for every engine."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from srgen.method.readout import Readout
from srgen.methods.contract import Method, Prompt

Key = Hashable
Reports = Mapping[str, Mapping[str, float]]
"""What each method of a sample reports, by the method's name."""


class Started(NamedTuple):
    """A sample whose prompt has been read: n token ids and their last hidden states (n, d)."""

    key: Key
    methods: tuple[Method, ...]
    tokens: Sequence[int]
    hidden: Tensor


@dataclass(slots=True)
class _Sample:
    methods: tuple[Method, ...]
    delta: Tensor | None = None
    """(d,): the sum of the methods' own."""
    shift: Tensor | None = None
    """(V,): what it adds to the logits before the cap."""
    reports: dict[str, Mapping[str, float]] = field(default_factory=dict)


class _Stack(NamedTuple):
    """Corrections of a step's rows, 0 for those without: deltas (n, d) and shifts (n, V)."""

    keys: list[Key]
    deltas: Tensor
    shifts: Tensor
    plain: list[int]
    """The rows without."""


class MethodRows:
    """Samples by key; rows of other samples pass through as they are. Not thread-safe."""

    def __init__(self, readout: Readout) -> None:
        self._readout = readout
        self._samples: dict[Key, _Sample] = {}
        self._stack: _Stack | None = None

    def __contains__(self, key: Key) -> bool:
        return key in self._samples

    def begin(self, started: Sequence[Started]) -> None:
        """Take samples on. Several methods of a sample begin one after another, each on rows that the last left."""
        for sample in started:
            self._samples[sample.key] = _Sample(sample.methods)
        self._stack = None
        stages = max((len(sample.methods) for sample in started), default=0)
        for stage in range(stages):
            groups: dict[Method, list[Started]] = {}
            for sample in started:
                if stage < len(sample.methods):
                    groups.setdefault(sample.methods[stage], []).append(sample)
            for method, members in groups.items():
                self._begin(method, members)

    def _begin(self, method: Method, members: Sequence[Started]) -> None:
        device = self._readout.device
        prompts = [Prompt(member.tokens, self.hidden(member.key, member.hidden.to(device))) for member in members]
        for member, effect in zip(members, method.begin(self._readout, prompts), strict=True):
            sample = self._samples[member.key]
            sample.reports[method.name] = effect.report
            if effect.delta is not None:
                sample.delta = effect.delta if sample.delta is None else sample.delta + effect.delta
                sample.shift = self._readout.shift(sample.delta[None])[0]

    def hidden(self, key: Key, hidden: Tensor) -> Tensor:
        """A sample's last hidden states (n, d) with its correction."""
        sample = self._samples.get(key)
        return hidden if sample is None or sample.delta is None else hidden + sample.delta

    def apply(
        self, keys: Sequence[Key], hidden: Tensor, logits: Tensor, tokens: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor]:
        """A step's last hidden states (n, d) and logits (n, V), float32, with corrections; the arguments are left.

        tokens: what each sample has generated so far.
        """
        stack = self._stacked(keys)
        if stack is not None:
            hidden = hidden + stack.deltas
            moved = self._readout.move(logits, stack.shifts)[0]
            if stack.plain:  # a soft cap would round them
                moved[stack.plain] = logits[stack.plain]
            logits = moved
        for row, key in enumerate(keys):
            for method in self._samples[key].methods if key in self._samples else ():
                if method.changes_rows:
                    changed = method.change(logits[row], tokens[row])
                    logits = logits.index_put((torch.tensor([row], device=logits.device),), changed[None])
        return hidden, logits

    def release(self, key: Key) -> Reports:
        """End a sample; what its methods reported."""
        sample = self._samples.pop(key, None)
        self._stack = None
        return {} if sample is None else sample.reports

    def _stacked(self, keys: Sequence[Key]) -> _Stack | None:
        """The corrections of these rows; None where no row has one. Usually the rows are those of the step before."""
        if self._stack is None or self._stack.keys != list(keys):
            self._stack = self._build(list(keys))
        return self._stack

    def _build(self, keys: list[Key]) -> _Stack | None:
        samples = [self._samples.get(key) for key in keys]
        deltas = [None if sample is None else sample.delta for sample in samples]
        shifts = [None if sample is None else sample.shift for sample in samples]
        plain = [row for row, shift in enumerate(shifts) if shift is None]
        if len(plain) == len(keys):
            return None
        device, dtype = self._readout.device, self._readout.dtype
        no_delta = torch.zeros(self._readout.hidden, dtype=dtype, device=device)
        no_shift = torch.zeros(self._readout.vocabulary, dtype=dtype, device=device)
        return _Stack(
            keys,
            torch.stack([no_delta if delta is None else delta for delta in deltas]),
            torch.stack([no_shift if shift is None else shift for shift in shifts]),
            plain,
        )

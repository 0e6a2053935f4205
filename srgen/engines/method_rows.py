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
KEPT_FITS = 16
"""Prompts whose fits are kept for further samples; each holds d + V numbers."""
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


class _Fit(NamedTuple):
    """What methods have found for a prompt, all of them together, and what the last of them reports."""

    report: Mapping[str, float]
    delta: Tensor | None
    shift: Tensor | None


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
        self._fits: dict[tuple[tuple[Method, ...], tuple[int, ...]], _Fit] = {}
        """By methods and prompt; the one used last comes last."""
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
            groups: dict[tuple[Method, ...], list[Started]] = {}
            for sample in started:
                if stage < len(sample.methods):
                    groups.setdefault(sample.methods[: stage + 1], []).append(sample)
            for methods, members in groups.items():
                self._begin(methods, members)
        for prompt in list(self._fits)[:-KEPT_FITS]:
            del self._fits[prompt]

    def _begin(self, methods: tuple[Method, ...], members: Sequence[Started]) -> None:
        """Begin the last of some methods, once for each prompt: the samples of a question share what it finds."""
        prompts = {tuple(member.tokens): member for member in members}
        self._fit(methods, [member for tokens, member in prompts.items() if (methods, tokens) not in self._fits])
        for tokens in prompts:
            self._fits[methods, tokens] = self._fits.pop((methods, tokens))
        for member in members:
            sample, fit = self._samples[member.key], self._fits[methods, tuple(member.tokens)]
            sample.reports[methods[-1].name] = fit.report
            sample.delta, sample.shift = fit.delta, fit.shift

    def _fit(self, methods: tuple[Method, ...], members: Sequence[Started]) -> None:
        device = self._readout.device
        prompts = [Prompt(member.tokens, self.hidden(member.key, member.hidden.to(device))) for member in members]
        if not prompts:
            return
        for member, effect in zip(members, methods[-1].begin(self._readout, prompts), strict=True):
            before = self._samples[member.key]
            delta, shift = before.delta, before.shift
            if effect.delta is not None:
                delta = effect.delta if delta is None else delta + effect.delta
                shift = self._readout.shift(delta[None])[0]
            self._fits[methods, tuple(member.tokens)] = _Fit(effect.report, delta, shift)

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

"""The state machine of SRGen: monitor -> trigger -> reflect -> statistics, keyed by sample and not by batch row.

A driver (an engine, a logits processor) admits samples with their prompts, then at every decode step calls `triggered`,
`reflect` for the rows that did, and `commit` with the tokens that were chosen. Rows of a batch whose key was not
admitted are generated plainly: they are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from srgen.config import SRGenConfig
from srgen.engines.base import Reflection
from srgen.method.context import ContextStore, SketchStore, context_store
from srgen.method.entropy import EntropyMonitor, softmax
from srgen.method.prompts import HiddenRows, Prompt, SharedPrompts
from srgen.method.readout import Readout
from srgen.method.reflection import Corrected, CrossEntropy, reflect
from srgen.method.rows import Rows
from srgen.method.support import reflect_on_support

Key = Hashable

WAITING_ROWS = 1024
"""Most rows of a prompt that wait as hidden states until a reflection needs them; many samples never trigger."""


@dataclass(slots=True)
class _Sample:
    """State of one sample in flight."""

    config: SRGenConfig
    temperature: float
    monitor: EntropyMonitor
    store: ContextStore
    slot: int | None
    """Its context; None once no reflection is left."""
    prompt: Prompt | None
    """What its context begins with, shared with other samples; None where it is not known, or with `slot`."""
    waiting: HiddenRows = field(default_factory=HiddenRows)
    """Rows that the context does not have yet."""
    threshold: float = math.nan
    entropies: list[float] = field(default_factory=list)
    reflections: list[Reflection] = field(default_factory=list)
    delta: Tensor | None = None
    """Correction (d,) of the last reflection."""


@dataclass(frozen=True, slots=True)
class Record:
    """Statistics of a sample: entropies[i] belongs to the step that gave generated token i (the first is NaN)."""

    entropies: tuple[float, ...]
    reflections: tuple[Reflection, ...]
    reports: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """What further methods of the sample say of it, where an engine keeps that here."""
    signals: bytes = b""
    """The rows' own signals (srgen.method.signals.row_signals), likewise."""


class SRGenProcessor:
    """SRGen for the samples of one model. Not thread-safe.

    `masked_tokens` are the labels that `mask_special_tokens` leaves out of the cross entropy.
    """

    def __init__(self, readout: Readout, masked_tokens: frozenset[int] = frozenset()) -> None:
        self._readout = readout
        self._masked = masked_tokens
        self._samples: dict[Key, _Sample] = {}
        self._stores: dict[tuple[str, int], ContextStore] = {}
        self._prompts = SharedPrompts()

    def __contains__(self, key: Key) -> bool:
        return key in self._samples

    def can_reflect(self, key: Key) -> bool:
        """Whether a sample has reflections left; its context is gone otherwise."""
        return self._samples[key].slot is not None

    @property
    def keeps_hidden(self) -> bool:
        """Whether some context wants the hidden states of its rows."""
        return any(mode == "exact" for mode, _ in self._stores)

    def admit(
        self,
        key: Key,
        config: SRGenConfig,
        temperature: float,
        prompt: Sequence[int],
        hidden: Tensor | None,
        *,
        variant: Hashable = None,
    ) -> None:
        """Begin a sample with its prompt: n token ids, and hidden (n, d), their last hidden states.

        None where these come in parts, by `read_prompt`, or the prompt is not known, and all rows come by `extend`.
        Samples with the same prompt share its rows where `variant` is the same: what else, if anything, has changed
        the states.
        """
        store = self._store(config)
        shared = slot = None
        if config.max_retries:
            if prompt:
                shared = self._prompts.use(store, prompt, self._masked_by(config), variant)
            slot = store.open(shared.slot if shared else None)
        self._samples[key] = _Sample(config, temperature, EntropyMonitor(config), store, slot, shared)
        if hidden is not None:
            self.read_prompt(key, 0, hidden[:-1], prompt[1:])

    def read_prompt(self, key: Key, start: int, hidden: Tensor, labels: Sequence[int]) -> None:
        """Rows of the prompt from position `start` on: hidden (n, d), and the n tokens that followed.

        Samples that share the prompt bring the same rows; the first ones count.
        """
        sample = self._samples[key]
        if sample.prompt is None:
            return
        sample.prompt.read(start, hidden, labels, self._readout.device)
        if len(sample.prompt.rows) > WAITING_ROWS:
            sample.prompt.rows.move_to(sample.store, sample.prompt.slot, self._readout)

    def extend(self, key: Key, hidden: Tensor, labels: Sequence[int]) -> None:
        """Add context rows: hidden states (n, d) and the n tokens that followed."""
        sample = self._samples[key]
        if sample.slot is None:
            return
        sample.waiting.add(hidden, labels, self._masked_by(sample.config), self._readout.device)
        if sample.reflections or len(sample.waiting) > WAITING_ROWS:
            sample.waiting.move_to(sample.store, sample.slot, self._readout)

    def triggered(self, keys: Sequence[Key], entropies: Sequence[float]) -> list[int]:
        """Record one step's entropies (nats, at each sample's temperature); indices of the rows that trigger."""
        rows = []
        for row, (key, value) in enumerate(zip(keys, entropies, strict=True)):
            sample = self._samples.get(key)
            if sample is None:
                continue
            if not sample.entropies:
                # The first generated token comes from the prompt's own pass, which is not monitored.
                sample.entropies.append(math.nan)
                continue
            sample.threshold = sample.monitor.threshold()
            if value > sample.threshold and sample.slot is not None:
                rows.append(row)
            sample.monitor.observe(value)
            sample.entropies.append(value)
        return rows

    def reflect(self, keys: Sequence[Key], logits: Tensor) -> Tensor:
        """Corrected logits (R, V), float32, of rows (R, V) that triggered at the step just recorded."""
        corrected = torch.empty_like(logits, dtype=torch.float32)
        groups: dict[SRGenConfig, list[int]] = {}
        for row, key in enumerate(keys):
            groups.setdefault(self._samples[key].config, []).append(row)
        for config, rows in groups.items():
            corrected[rows] = self._reflect_group([keys[row] for row in rows], logits[rows].float(), config)
        return corrected

    def room(self, keys: Sequence[Key]) -> Tensor | None:
        """Memory (n, V) for the probabilities of a step's n rows, from where `commit` does not copy them, if any.

        What is there is lost when a sample reflects.
        """
        samples = [self._samples.get(key) for key in keys]
        stores = {id(sample.store): sample.store for sample in samples if sample is not None}
        whole = all(sample is not None and sample.slot is not None for sample in samples)
        [store, *others] = stores.values() or [None]
        return store.room(len(keys)) if whole and not others and isinstance(store, SketchStore) else None

    def commit(self, keys: Sequence[Key], tokens: Sequence[int], rows: Rows) -> None:
        """Add a step's n rows to the contexts, with the n tokens that were chosen."""
        groups: dict[int, tuple[ContextStore, list[int], list[int]]] = {}
        for row, (key, token) in enumerate(zip(keys, tokens, strict=True)):
            sample = self._samples.get(key)
            if sample is not None and sample.slot is not None and token not in self._masked_by(sample.config):
                _, slots, kept = groups.setdefault(id(sample.store), (sample.store, [], []))
                slots.append(sample.slot)
                kept.append(row)
        for store, slots, kept in groups.values():
            device = self._readout.device
            labels = torch.tensor([tokens[row] for row in kept], device=device)
            # Usually every row goes to one store; the batch is then passed on as it is.
            whole = len(kept) == len(keys)
            store.append(slots, labels, rows if whole else rows.pick(torch.tensor(kept, device=device)))

    def release(self, key: Key) -> Record:
        """End a sample and free its context."""
        sample = self._samples.pop(key)
        self._close(sample)
        return Record(tuple(sample.entropies), tuple(sample.reflections))

    def record(self, key: Key) -> Record:
        """Statistics of a sample in flight."""
        sample = self._samples[key]
        return Record(tuple(sample.entropies), tuple(sample.reflections))

    def delta(self, key: Key) -> Tensor | None:
        """Correction (d,), float32, of a sample's last reflection; None before the first."""
        return self._samples[key].delta

    def _reflect_group(self, keys: list[Key], logits: Tensor, config: SRGenConfig) -> Tensor:
        samples = [self._samples[key] for key in keys]
        temperature = torch.tensor([sample.temperature for sample in samples], device=logits.device)
        for sample in samples:
            self._fill(sample)
        corrected = _reflect(self._readout, samples, logits, temperature, config)
        statistics = _describe(samples, logits, corrected, temperature)
        for sample, reflection, delta in zip(samples, statistics, corrected.delta, strict=True):
            sample.reflections.append(reflection)
            sample.delta = delta
            if len(sample.reflections) == config.max_retries:
                self._close(sample)
        return corrected.logits

    def _fill(self, sample: _Sample) -> None:
        """Move the rows that wait into the context."""
        assert sample.slot is not None
        if sample.prompt is not None:
            sample.prompt.rows.move_to(sample.store, sample.prompt.slot, self._readout)
        sample.waiting.move_to(sample.store, sample.slot, self._readout)

    def _close(self, sample: _Sample) -> None:
        """Free the context; no reflection is left."""
        if sample.slot is not None:
            sample.store.close(sample.slot)
            sample.slot = None
        if sample.prompt is not None:
            self._prompts.release(sample.prompt)
            sample.prompt = None

    def _store(self, config: SRGenConfig) -> ContextStore:
        kind = (config.reflection, config.sketch_top)
        if kind not in self._stores:
            self._stores[kind] = context_store(self._readout, *kind)
        return self._stores[kind]

    def _masked_by(self, config: SRGenConfig) -> frozenset[int]:
        return self._masked if config.mask_special_tokens else frozenset()


def _reflect(
    readout: Readout, samples: Sequence[_Sample], logits: Tensor, temperature: Tensor, config: SRGenConfig
) -> Corrected:
    slots = [slot for sample in samples if (slot := sample.slot) is not None]
    store = samples[0].store
    if config.reflection == "support" and isinstance(store, SketchStore):
        return reflect_on_support(readout, store.sketches(slots), logits, temperature, config)
    if isinstance(store, SketchStore):
        contexts: list[CrossEntropy] = [store.sketch(slot).only for slot in slots]
    else:
        contexts = [partial(store.cross_entropy, slot) for slot in slots]
    return reflect(readout, contexts, logits, temperature, config)


def _describe(
    samples: Sequence[_Sample], logits: Tensor, corrected: Corrected, temperature: Tensor
) -> list[Reflection]:
    """The statistics of one reflection per sample, fetched from the device in one transfer."""
    tau = temperature[:, None]
    after = softmax(corrected.logits, tau)
    likeliest = torch.stack([logits.argmax(dim=1), corrected.logits.argmax(dim=1)], dim=1)
    columns = [
        after.entropies[:, None],
        corrected.delta.norm(dim=1, keepdim=True),
        likeliest,
        (logits.gather(1, likeliest) / tau - (logits / tau).logsumexp(dim=1, keepdim=True)).exp(),
        after.probabilities.gather(1, likeliest),
        corrected.losses,
    ]
    table = torch.cat([column.double() for column in columns], dim=1).tolist()
    return [
        Reflection(
            position=len(sample.entropies) - 1,
            entropy_before=sample.entropies[-1],
            entropy_after=entropy,
            threshold=sample.threshold,
            losses=tuple(losses),
            delta_norm=norm,
            token_before=int(old),
            token_after=int(new),
            probabilities_before=(round(old_before, 6), round(new_before, 6)),
            probabilities_after=(round(old_after, 6), round(new_after, 6)),
        )
        for sample, (entropy, norm, old, new, old_before, new_before, old_after, new_after, *losses) in zip(
            samples, table, strict=True
        )
    ]

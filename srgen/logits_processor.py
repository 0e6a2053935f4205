"""SRGen inside transformers' `model.generate`, as a LogitsProcessor."""

from __future__ import annotations

import weakref
from collections.abc import Collection
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from srgen.chat import marker_tokens, token_set
from srgen.config import SRGenConfig
from srgen.errors import ConfigError, SRGenError
from srgen.method.entropy import entropy
from srgen.method.processor import Record, SRGenProcessor
from srgen.method.readout import decoder_of, last_hidden_state, readout_of
from srgen.method.rows import Rows


class SRGenLogitsProcessor(LogitsProcessor):  # type: ignore[misc]
    """`model.generate(**inputs, logits_processor=[SRGenLogitsProcessor(model, SRGenConfig())])`.

    Works with any decoder-only model, in batches (left padded), greedy and sampling. Rows of one call are the samples;
    `records` holds their statistics afterwards. It watches the forward passes for the prompt's hidden states and
    the raw logits; use one processor for one `generate` call at a time. Raises UnsupportedModelError for a head that it
    cannot correct, SRGenError where rows are reordered between steps (beam search).

    temperature: the sampling temperature that `generate` will use; entropies are taken at it. None takes the model's
    generation config (1 when that decodes greedily).
    eos_token_id: tokens that end a row; None takes the model's generation config.
    tokenizer: needed with `mask_special_tokens` only.
    """

    def __init__(
        self,
        model: Any,
        config: SRGenConfig,
        *,
        temperature: float | None = None,
        eos_token_id: int | Collection[int] | None = None,
        tokenizer: Any = None,
    ) -> None:
        if config.mask_special_tokens and tokenizer is None:
            raise ConfigError("mask_special_tokens needs the tokenizer; pass tokenizer=")
        defaults = model.generation_config
        if temperature is None:
            temperature = float(defaults.temperature or 1.0) if defaults.do_sample else 1.0
        self._config = config
        self._temperature = temperature
        self._ends = token_set(defaults.eos_token_id if eos_token_id is None else eos_token_id)
        masked = marker_tokens(tokenizer) if config.mask_special_tokens else frozenset()
        self._processor = SRGenProcessor(readout_of(model), masked)
        self._passes = ForwardPasses(model)
        self._previous: Tensor | None = None
        self._pending: tuple[Tensor, Tensor] | None = None
        self._running: list[int] = []
        self._rows = 0

    @property
    def records(self) -> list[Record]:
        """Statistics of the last call's samples, by row."""
        return [self._processor.record(row) for row in range(self._rows)]

    @property
    def deltas(self) -> list[Tensor | None]:
        """Correction (d,) of each row's last reflection in the last call; None where a row had none."""
        return [self._processor.delta(row) for row in range(self._rows)]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (B, V) of one step, corrected where a row triggers; input_ids (B, L) are the tokens so far."""
        logits, hidden = self._passes.last(scores)
        if self._passes.is_prompt(input_ids, self._previous):
            self._begin(input_ids)
        else:
            self._follow(input_ids)
        self._previous = input_ids
        self._pending = (logits, hidden)
        self._passes.clear()
        if not self._running:
            return scores
        rows = logits if len(self._running) == self._rows else logits[self._running]
        values = entropy(rows, self._temperature).tolist()
        triggered = [self._running[i] for i in self._processor.triggered(self._running, values)]
        if not triggered:
            return scores
        raw = logits[triggered].float()
        corrected = self._processor.reflect(triggered, raw)
        result = scores.clone()
        # Processors that ran before this one keep their say; where none did, the corrected logits stand as they are.
        before = scores[triggered]
        result[triggered] = torch.where(before == raw, corrected, before + (corrected - raw)).to(scores.dtype)
        return result

    def _begin(self, input_ids: Tensor) -> None:
        for row in range(self._rows):
            self._processor.release(row)
        self._rows = input_ids.shape[0]
        self._running = list(range(self._rows))
        hidden, masks = self._passes.prompt(input_ids)
        for row in range(self._rows):
            prompt = input_ids[row][masks[row]].tolist()
            self._processor.admit(row, self._config, self._temperature, prompt, hidden[row][masks[row]])

    def _follow(self, input_ids: Tensor) -> None:
        """Check that the rows are those of the previous step, and add its rows to the contexts."""
        rows, length = input_ids.shape
        if self._previous is None or self._pending is None or self._previous.shape != (rows, length - 1):
            raise SRGenError("SRGen lost track of the batch: use a new SRGenLogitsProcessor for every generate call")
        same = (input_ids[:, :-1] == self._previous).all().reshape(1).to(input_ids.dtype)
        *tokens, unchanged = torch.cat([input_ids[:, -1], same]).tolist()
        if not unchanged:
            raise SRGenError("SRGen cannot follow rows that are reordered between steps; use num_beams=1")
        self._running = [row for row in self._running if tokens[row] not in self._ends]
        if self._running:
            logits, hidden = self._pending
            chosen = [tokens[row] for row in self._running]
            self._processor.commit(self._running, chosen, Rows(hidden[self._running], logits[self._running]))


class ForwardPasses:
    """What the model's forward passes since the last step gave: hidden states, attention mask and raw logits."""

    def __init__(self, model: Any) -> None:
        self.clear()
        # The hooks must not keep the processor alive, nor outlive it.
        watcher = weakref.ref(self)
        handles = [
            decoder_of(model).register_forward_hook(partial(_notify, watcher, "_on_decoder"), with_kwargs=True),
            model.register_forward_hook(partial(_notify, watcher, "_on_model")),
        ]
        for handle in handles:
            weakref.finalize(self, handle.remove)

    def clear(self) -> None:
        """Forget what was seen."""
        self._hidden: list[Tensor] = []
        self._mask: Tensor | None = None
        self._logits: Tensor | None = None

    def last(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Raw logits (B, V) and hidden states (B, d) of the newest position."""
        if self._logits is None or not self._hidden or self._logits.shape[0] != scores.shape[0]:
            raise SRGenError("SRGen saw no forward pass of its model before this step; was it made for another model?")
        return self._logits, self._hidden[-1][:, -1]

    def is_prompt(self, input_ids: Tensor, previous: Tensor | None) -> bool:
        """Whether the passes were over a whole prompt (and not one step, with or without a KV cache)."""
        seen = sum(hidden.shape[1] for hidden in self._hidden)
        if seen != input_ids.shape[1]:
            return False
        return previous is None or not torch.equal(input_ids[:, :-1], previous)

    def prompt(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states (B, L, d) of the prompt pass, and which of its positions are not padding (B, L)."""
        hidden = torch.cat(self._hidden, dim=1)
        mask = torch.ones_like(input_ids) if self._mask is None else self._mask
        if mask.shape != input_ids.shape:
            raise SRGenError("SRGen needs the prompt's attention mask in its two-dimensional form (dynamic cache)")
        return hidden, mask.bool()

    def _on_decoder(self, _module: Any, _arguments: Any, keywords: dict[str, Any], output: Any) -> None:
        hidden = last_hidden_state(output).detach()
        cache = keywords.get("cache", keywords.get("past_key_values"))  # its name from transformers 5.24 on, and before
        if cache is None or _begins(cache, hidden.shape[1]):
            # Whatever was seen before belongs to another call.
            self.clear()
        self._hidden.append(hidden)
        mask = keywords.get("attention_mask")
        self._mask = mask if isinstance(mask, Tensor) else None

    def _on_model(self, _module: Any, _arguments: Any, output: Any) -> None:
        logits = output[0] if isinstance(output, tuple) else output.logits
        # A copy: generate may reuse the memory, and a slice would keep the prompt's rows alive.
        self._logits = logits[:, -1].detach().to(torch.float32, copy=True)


def _begins(cache: Any, positions: int) -> bool:
    """Whether a pass over so many positions began with nothing cached, given what the cache holds after it."""
    try:
        return bool(cache.get_seq_length() == positions)
    except ValueError:
        # A model without attention: its cache does not count positions, and its prompt is one pass.
        return True


def _notify(watcher: weakref.ref[ForwardPasses], event: str, *call: Any) -> None:
    passes = watcher()
    if passes is not None:
        getattr(passes, event)(*call)

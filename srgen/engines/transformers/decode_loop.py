"""One batch of requests in flight: admit, step, cancel. Rows come and go between steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from srgen.chat import encode_request, marker_tokens, token_set
from srgen.engines.base import Completion, FinishReason, Reflection, Request
from srgen.engines.method_rows import MethodRows, Reports, Started
from srgen.engines.transformers import decode_attention
from srgen.engines.transformers.forward import Forward
from srgen.engines.transformers.guard import checked_passes
from srgen.engines.transformers.token_choice import Row, choose_tokens
from srgen.method.processor import SRGenProcessor
from srgen.method.readout import Readout, readout_of
from srgen.method.sampling import Sampler
from srgen.methods.contract import Steer
from srgen.thinking import Steering, Thinking, steers


class DecodeLoop:
    """The batch of one model. Not thread-safe."""

    def __init__(self, model: Any, tokenizer: Any, max_model_len: int | None = None) -> None:
        self._model = model
        self._tokenizer = tokenizer
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._max_length = min(max_model_len or sys.maxsize, positions or sys.maxsize)
        self._ends = token_set(model.generation_config.eos_token_id) | token_set(tokenizer.eos_token_id)
        self._device = model.device
        self._vocabulary = model.config.get_text_config().vocab_size
        self._processor: SRGenProcessor | None = None
        self.rows: list[Row] = []
        self._sampler: Sampler | None = None
        self._methods: MethodRows | None = None
        self._readout: Readout | None = None
        self._attention = model.config._attn_implementation
        self._forward = Forward(model)
        try:
            self._passes = checked_passes(model, self._forward, self._use_own_attention)
        except BaseException:
            self.close()
            raise

    @property
    def max_length(self) -> int:
        """Longest prompt and answer together, in tokens."""
        return self._max_length

    def __len__(self) -> int:
        return len(self.rows)

    def clear(self) -> None:
        """Drop every row."""
        for row in self.rows:
            self._release(row)
        self.rows = []
        self._passes.clear()
        self._sampler = None

    def close(self) -> None:
        """Drop every row and let go of the model."""
        for row in self.rows:
            self._release(row)
        self.rows = []
        self._forward.close()
        self._model.set_attn_implementation(self._attention)

    def _use_own_attention(self) -> None:
        if decode_attention.replaces(self._model):
            self._model.set_attn_implementation(decode_attention.IMPLEMENTATION)

    @torch.inference_mode()
    def cancel(self, request_id: str) -> None:
        """Drop the row of a request, if it is still in flight."""
        for index, row in enumerate(self.rows):
            if row.request.id == request_id:
                self._release(row)
                self._remove(index)
                return

    @torch.inference_mode()
    def admit(self, requests: Sequence[Request]) -> list[Completion]:
        """Run the prompts of new requests and draw their first tokens; completions of those that ended at once."""
        done: list[Completion] = []
        rows: list[Row] = []
        for request in requests:
            row = self._row(request)
            if isinstance(row, Completion):
                done.append(row)
            else:
                rows.append(row)
        for group in self._passes.groups([len(row.prompt) for row in rows]):
            done += self._prefill([rows[index] for index in group])
        return done

    @torch.inference_mode()
    def step(self) -> list[Completion]:
        """One token for every row; completions of those that ended."""
        logits, hidden = self._passes.step([row.tokens[-1] for row in self.rows])
        if self._sampler is None:
            self._sampler = self._build_sampler(self.rows)
        self._choose(self.rows, logits, hidden, self._sampler)
        return self._collect()

    def _row(self, request: Request) -> Row | Completion:
        prompt = encode_request(self._tokenizer, request)
        limit = min(request.sampling.max_new_tokens, self._max_length - len(prompt))
        if prompt and limit > 0:
            return Row(request, prompt, limit, steering=self._steering(request, prompt))
        reason = f"the prompt has {len(prompt)} tokens, and the model takes 1 to {self._max_length - 1}"
        return Completion(
            id=request.id, prompt_tokens=len(prompt), token_ids=(), text="", finish_reason="error", error=reason
        )

    def _steering(self, request: Request, prompt: list[int]) -> Steer | None:
        """What forces tokens upon the request's sample."""
        sampling = request.sampling
        if steers(sampling):
            thinking = Thinking.of(self._tokenizer)
            return Steering(thinking, sampling.thinking_budget, sampling.ignore_end, prompt)
        found = (method.steer(self._tokenizer, prompt) for method in request.methods)
        return next((steer for steer in found if steer is not None), None)

    def _prefill(self, rows: list[Row]) -> list[Completion]:
        logits, hidden = self._passes.admit([row.prompt for row in rows])
        self.rows += rows
        self._sampler = None
        self._begin(rows, hidden)
        self._choose(rows, logits, torch.stack([states[-1] for states in hidden]), self._build_sampler(rows))
        return self._collect()

    def _begin(self, rows: list[Row], states: list[Tensor]) -> None:
        """Hand the prompts' last hidden states, (n, d) each, to the methods that want them, SRGen last."""
        started = [
            Started(row, row.request.methods, row.prompt, hidden)
            for row, hidden in zip(rows, states, strict=True)
            if any(method.works_on_rows for method in row.request.methods)
        ]
        if started:
            if self._methods is None:
                self._methods = MethodRows(self._head())
            self._methods.begin(started)
        for row, hidden in zip(rows, states, strict=True):
            if row.request.srgen is not None:
                seen = hidden if self._methods is None else self._methods.hidden(row, hidden)
                temperature = row.request.sampling.entropy_temperature
                # Methods depend on nothing but the prompt, so that equal ones leave equal states.
                methods = row.request.methods
                self._srgen().admit(row, row.request.srgen, temperature, row.prompt, seen, variant=methods)

    def _choose(self, rows: list[Row], logits: Tensor, hidden: Tensor, sampler: Sampler) -> None:
        """Append each row's next token; logits (n, V) and hidden (n, d) as the model gave them."""
        if self._methods is not None:
            hidden, logits = self._methods.apply(rows, hidden, logits, [row.tokens for row in rows])
        choose_tokens(rows, logits, hidden, sampler, self._processor)

    def _collect(self) -> list[Completion]:
        """Completions of the rows that ended, which leave the batch."""
        done: list[Completion] = []
        for index in range(len(self.rows) - 1, -1, -1):
            row = self.rows[index]
            reason = self._finish_reason(row)
            if reason is not None:
                done.append(self._complete(row, reason))
                self._remove(index)
        return done

    def _finish_reason(self, row: Row) -> FinishReason | None:
        if row.error is not None:
            return "error"
        ended = row.tokens[-1] in self._ends and not row.request.ignore_eos
        if ended or self._stopped(row):
            return "stop"
        return "length" if len(row.tokens) >= row.limit else None

    def _stopped(self, row: Row) -> bool:
        """Whether the text so far has a stop string, looking only at its end: earlier steps saw the rest."""
        stops = row.request.sampling.stop
        if not stops:
            return False
        # A token is at least a byte and a character at most four; the margin covers tokens that begin a stop string.
        tail = row.tokens[-(4 * max(map(len, stops)) + 8) :]
        text = self._text(tail)
        return any(stop in text for stop in stops)

    def _complete(self, row: Row, reason: FinishReason) -> Completion:
        reflections, reports = self._release(row)
        text = row.request.prefix + self._text(row.tokens)
        for stop in row.request.sampling.stop:
            text = text.split(stop, 1)[0]
        return Completion(
            id=row.request.id,
            prompt_tokens=len(row.prompt),
            token_ids=tuple(row.tokens),
            text=text,
            finish_reason=reason,
            reflections=reflections,
            reports={**reports, **_forced(row)},
            error=row.error,
            entropies=tuple(row.entropies) if row.request.record_entropy else None,
            signals=_signals(row),
            logprobs=None if row.request.logprobs is None else tuple(row.logprobs),
            seconds=time.monotonic() - row.started,
        )

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def _release(self, row: Row) -> tuple[tuple[Reflection, ...], Reports]:
        """End a row for its methods; what they have to say of it."""
        reports = {} if self._methods is None else self._methods.release(row)
        if self._processor is None or row not in self._processor:
            return (), reports
        return self._processor.release(row).reflections, reports

    def _remove(self, index: int) -> None:
        """The last row takes the place of one that left, here as in the cache."""
        self._passes.remove(index)
        last = self.rows.pop()
        if index < len(self.rows):
            self.rows[index] = last
        self._sampler = None

    def _build_sampler(self, rows: list[Row]) -> Sampler:
        settings = [row.request.sampling for row in rows]
        return Sampler.build(settings, [row.request.seed for row in rows], self._vocabulary, self._device)

    def _srgen(self) -> SRGenProcessor:
        if self._processor is None:
            self._processor = SRGenProcessor(self._head(), marker_tokens(self._tokenizer))
        return self._processor

    def _head(self) -> Readout:
        if self._readout is None:
            self._readout = readout_of(self._model)
        return self._readout


def _forced(row: Row) -> Reports:
    """What the method that forces the row's tokens reports."""
    forcing = [method.name for method in row.request.methods if method.forces_tokens]
    return {} if row.steering is None else dict.fromkeys(forcing, row.steering.report)


def _signals(row: Row) -> bytes | None:
    """The row's signals as bytes, fetched in one transfer; None where the request does not want them."""
    if not row.request.record_signals:
        return None
    return torch.stack(row.signals).cpu().numpy().tobytes() if row.signals else b""

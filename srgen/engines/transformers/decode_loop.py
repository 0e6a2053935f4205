"""One batch of requests in flight: admit, step, cancel. Rows come and go between steps."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from srgen.chat import encode_request, marker_tokens, token_set
from srgen.engines.base import Completion, FinishReason, Reflection, Request
from srgen.engines.method_rows import MethodRows, Reports, Started
from srgen.engines.transformers import decode_attention
from srgen.engines.transformers.answers import Answers
from srgen.engines.transformers.forward import Forward
from srgen.engines.transformers.guard import checked_passes
from srgen.engines.transformers.parking import Parking
from srgen.engines.transformers.token_choice import Drawn, Row, draw, joined, settle
from srgen.method.processor import SRGenProcessor
from srgen.method.readout import Readout, readout_of
from srgen.method.sampling import Sampler
from srgen.thinking import steer_of


class DecodeLoop:
    """The batch of one model. Not thread-safe."""

    def __init__(self, model: Any, tokenizer: Any, max_model_len: int | None = None, park_steps: int = 0) -> None:
        self._model = model
        self._tokenizer = tokenizer
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._max_length = min(max_model_len or sys.maxsize, positions or sys.maxsize)
        ends = token_set(model.generation_config.eos_token_id) | token_set(tokenizer.eos_token_id)
        self._answers = Answers(tokenizer, ends)
        self._device = model.device
        self._vocabulary = model.config.get_text_config().vocab_size
        self._processor: SRGenProcessor | None = None
        self._decoding: list[Row] = []
        """In the order of the passes."""
        self._parking = Parking(park_steps)
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

    @property
    def rows(self) -> list[Row]:
        """Those in flight."""
        return [*self._decoding, *self._parking.rows]

    def __len__(self) -> int:
        return len(self._decoding) + len(self._parking)

    def free(self, batch_size: int) -> int:
        """Requests that may be admitted where so many are decoded together."""
        return self._parking.free(len(self._decoding), batch_size)

    def clear(self) -> None:
        """Drop every row."""
        self._drop_rows()
        self._passes.clear()
        self._sampler = None

    def close(self) -> None:
        """Drop every row and let go of the model."""
        self._drop_rows()
        self._forward.close()
        self._model.set_attn_implementation(self._attention)

    def _use_own_attention(self) -> None:
        if decode_attention.replaces(self._model):
            self._model.set_attn_implementation(decode_attention.IMPLEMENTATION)

    @torch.inference_mode()
    def cancel(self, request_id: str) -> None:
        """Drop the row of a request, if it is still in flight."""
        parked = self._parking.drop(request_id)
        if parked is not None:
            self._release(parked)
        for index, row in enumerate(self._decoding):
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
        """One token for every row that does not wait; completions of those that ended."""
        done = self._reflect_parked() if self._parking.due(len(self._decoding)) else []
        if not self._decoding:
            return done
        logits, hidden = self._passes.step([row.tokens[-1] for row in self._decoding])
        if self._sampler is None:
            self._sampler = self._build_sampler(self._decoding)
        self._choose(self._decoding, logits, hidden, self._sampler)
        return done + self._collect()

    def _reflect_parked(self) -> list[Completion]:
        """The rows that wait reflect together, get their tokens and go on; completions of those that ended."""
        steps = self._parking.leave(self._passes)
        if not steps:
            return []
        rows = [row for step in steps for row in step.rows]
        self._decoding += rows
        self._sampler = None
        settle(joined(steps, self._build_sampler(rows)), list(range(len(rows))), self._processor)
        return self._collect()

    def _park(self, drawn: Drawn, triggered: list[int]) -> Drawn:
        """Rows that triggered leave the batch to wait; the step of the others."""
        others = drawn.pick([index for index in range(len(drawn.rows)) if index not in triggered])
        parked = {index: drawn.pick([index]) for index in triggered}
        # From the last one on, as a row that leaves is replaced by the last.
        for index in sorted(triggered, reverse=True):
            self._parking.park(parked[index], self._passes.take(index))
            self._forget(index)
        return others

    def _row(self, request: Request) -> Row | Completion:
        prompt = encode_request(self._tokenizer, request)
        limit = min(request.sampling.max_new_tokens, self._max_length - len(prompt))
        if prompt and limit > 0:
            steering = steer_of(request.sampling, request.methods, self._tokenizer, prompt)
            return Row(request, prompt, limit, steering=steering)
        reason = f"the prompt has {len(prompt)} tokens, and the model takes 1 to {self._max_length - 1}"
        return Completion(
            id=request.id, prompt_tokens=len(prompt), token_ids=(), text="", finish_reason="error", error=reason
        )

    def _prefill(self, rows: list[Row]) -> list[Completion]:
        logits, hidden = self._passes.admit([row.prompt for row in rows])
        self._decoding += rows
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
        drawn, triggered = draw(rows, logits, hidden, sampler, self._processor)
        if triggered and self._parking.open:
            drawn, triggered = self._park(drawn, triggered), []
        settle(drawn, triggered, self._processor)

    def _collect(self) -> list[Completion]:
        """Completions of the rows that ended, which leave the batch."""
        done: list[Completion] = []
        for index in range(len(self._decoding) - 1, -1, -1):
            row = self._decoding[index]
            reason = self._answers.finish_reason(row)
            if reason is not None:
                done.append(self._complete(row, reason))
                self._remove(index)
        return done

    def _complete(self, row: Row, reason: FinishReason) -> Completion:
        return self._answers.completion(row, reason, *self._release(row))

    def _release(self, row: Row) -> tuple[tuple[Reflection, ...], Reports]:
        """End a row for its methods; what they have to say of it."""
        reports = {} if self._methods is None else self._methods.release(row)
        if self._processor is None or row not in self._processor:
            return (), reports
        return self._processor.release(row).reflections, reports

    def _remove(self, index: int) -> None:
        """The last row takes the place of one that left, here as in the cache."""
        self._passes.remove(index)
        self._forget(index)

    def _forget(self, index: int) -> None:
        last = self._decoding.pop()
        if index < len(self._decoding):
            self._decoding[index] = last
        self._sampler = None

    def _drop_rows(self) -> None:
        for row in self.rows:
            self._release(row)
        self._decoding = []
        self._parking.clear()

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

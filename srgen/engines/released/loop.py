"""The released code's loop as an engine: one sample at a time, stopping at every trigger and starting again from there.

With its switches off it gives the transformers engine's tokens; each switch brings back one accident of that code, so
that its part in a result can be measured.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from srgen.chat import encode_request, token_set
from srgen.config import SRGenConfig
from srgen.engines import EngineConfig, Switches
from srgen.engines.base import Completion, FinishReason, Reflection, Request
from srgen.engines.transformers.engine import load_model
from srgen.method.sampling import Sampler
from srgen.thinking import opening_of
from srgen.tnot_decorator import enable_tnot


@dataclass(slots=True)
class _Sample:
    """A sample between two passes."""

    context: list[int]
    """What the next pass is prompted with."""
    prompt_tokens: int
    tokens: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """The text of each pass."""
    reflections: list[Reflection] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)


class ReleasedEngine:
    """Engine.generate by the loop of the released package's README, on the model that `enable_tnot` gives."""

    def __init__(self, model: Any, tokenizer: Any, switches: Switches | None = None) -> None:
        self.batch_size = 1
        self.on_step: Callable[[], None] = _nothing
        self._model = enable_tnot(model)
        self._tokenizer = tokenizer
        self._switches = switches or Switches()
        self._ends = token_set(model.generation_config.eos_token_id) | token_set(tokenizer.eos_token_id)
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._max_length = positions or 2**31

    @classmethod
    def load(cls, config: EngineConfig) -> ReleasedEngine:
        """Load model and tokenizer. Raises ConfigError when that fails."""
        return cls(*load_model(config), config.released)

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        """See Engine.generate; a request is finished before the next one is asked for."""
        for request in requests:
            if request is not None:
                yield self._complete(request)

    def decode_tokens(self, token_ids: Sequence[int]) -> list[str]:
        """The string of each token by itself, special tokens included."""
        return [self._tokenizer.decode([token]) for token in token_ids]

    def close(self) -> None:
        """Release the model."""
        del self._model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _complete(self, request: Request) -> Completion:
        started = time.monotonic()
        prompt = encode_request(self._tokenizer, request)
        sample = _Sample(context=list(prompt), prompt_tokens=len(prompt))
        reason: FinishReason = "error"
        error = None
        if 0 < len(prompt) < self._max_length:
            self._model.reset_model_parameters()
            reason = self._passes(request, sample)
        else:
            error = f"the prompt has {len(prompt)} tokens, and the model takes 1 to {self._max_length - 1}"
        text = request.prefix + "".join(sample.texts)
        for stop in request.sampling.stop:
            text = text.split(stop, 1)[0]
        return Completion(
            id=request.id,
            prompt_tokens=len(prompt),
            token_ids=tuple(sample.tokens),
            text=text,
            opening=opening_of(self._tokenizer, prompt, request.prefix),
            finish_reason=reason,
            reflections=tuple(sample.reflections),
            entropies=tuple(sample.entropies[: len(sample.tokens)]) if request.record_entropy else None,
            seconds=time.monotonic() - started,
            error=error,
        )

    def _passes(self, request: Request, sample: _Sample) -> FinishReason:
        """Pass after pass until one ends otherwise than at a trigger."""
        allowed = request.srgen.max_retries if request.srgen is not None else 0
        used = 0
        while True:
            budget = request.sampling.max_new_tokens
            if not self._switches.budget_per_pass:
                budget -= len(sample.tokens)
            budget = min(budget, self._max_length - len(sample.context))
            if budget <= 0:
                return "length"
            if not self._pass(request, sample, budget, stops=used < allowed):
                ended = sample.tokens[-1] in self._ends or _has_stop(sample, request.sampling.stop)
                return "stop" if ended else "length"
            used += 1
            if self._switches.drop_last_reflection and used == allowed:
                # The loop is over before the pass that would have reflected here.
                return "length"

    def _pass(self, request: Request, sample: _Sample, budget: int, *, stops: bool) -> bool:
        """One call of the wrapped model's generate; whether it stopped at a trigger."""
        model = self._model
        model.reset_entropy_detection()
        model.prompt_only = True
        inputs = torch.tensor([sample.context], device=model.device)
        watched = len(model.entropy_history)
        # A base run goes through the same pass, which then never triggers.
        config = request.srgen or SRGenConfig(max_retries=0)
        draw = _Draw(request, len(sample.tokens) - len(sample.context), self.on_step)
        output = model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            srgen_config=config if stops else replace(config, max_retries=0),
            entropy_control=True,
            entropy_temperature=request.sampling.entropy_temperature,
            logits_processor=[draw],
            do_sample=False,
            max_new_tokens=budget,
            eos_token_id=sorted(self._ends),
            pad_token_id=min(self._ends),
            tokenizer=self._tokenizer,
            **({"stop_strings": list(request.sampling.stop)} if request.sampling.stop else {}),
        )
        generated = output[0, len(sample.context) :].tolist()
        stopped = bool(model.high_entropy_detected)
        self._keep(sample, generated[:-1] if stopped else generated, watched)
        return stopped

    def _keep(self, sample: _Sample, generated: list[int], watched: int) -> None:
        """Add a pass's tokens and statistics to the sample, and make the next pass's prompt."""
        model = self._model
        if model.reflection is not None:
            sample.reflections.append(replace(model.reflection, position=len(sample.tokens)))
        if not sample.tokens:
            sample.entropies.append(math.nan)
        sample.entropies += model.entropy_history[watched:]
        sample.tokens += generated
        sample.texts.append(self._tokenizer.decode(generated, skip_special_tokens=True))
        sample.context += generated
        if self._switches.reencode_context:
            text = self._tokenizer.decode(sample.context, skip_special_tokens=True)
            sample.context = list(self._tokenizer(text)["input_ids"])
        else:
            sample.texts = [self._tokenizer.decode(sample.tokens, skip_special_tokens=True)]


class _Draw(LogitsProcessor):  # type: ignore[misc]
    """Draws a request's token with its own noise, as the other engines do, and forbids all others."""

    def __init__(self, request: Request, offset: int, on_step: Callable[[], None]) -> None:
        self._request = request
        self._offset = offset
        self._on_step = on_step

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (1, V) with one finite entry."""
        self._on_step()
        device, vocabulary = scores.device, scores.shape[1]
        sampler = Sampler.build([self._request.sampling], [self._request.seed], vocabulary, device)
        step = torch.tensor([input_ids.shape[1] + self._offset], device=device)
        token = sampler.draw_all(scores.float(), step)
        return torch.full_like(scores, -torch.inf).scatter(1, token[:, None], 0.0)


def _has_stop(sample: _Sample, stops: Sequence[str]) -> bool:
    text = "".join(sample.texts)
    return any(stop in text for stop in stops)


def _nothing() -> None:
    """The default of `on_step`."""


ENGINE = ReleasedEngine

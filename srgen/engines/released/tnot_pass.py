"""One pass of the released package's loop: reflect where the last pass stopped, generate, stop at the next trigger.

The loop around it feeds the text so far back as a new prompt; in-place reflection (SRGenLogitsProcessor) needs no loop.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from srgen.chat import marker_tokens
from srgen.config import SRGenConfig
from srgen.engines.base import Reflection
from srgen.errors import SRGenError
from srgen.logits_processor import ForwardPasses
from srgen.method.entropy import EntropyMonitor, entropy
from srgen.method.processor import SRGenProcessor
from srgen.method.readout import readout_of

TAIL = 16
"""Generated tokens by which the continuation of a stopped pass is recognised."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a pass stopped: at a trigger, before a token was drawn."""

    position: int
    """Index in the pass's generated tokens of the end token that was forced."""
    entropy: float
    threshold: float
    tail: tuple[int, ...]
    """The last tokens generated before it, TAIL at most."""

    def is_continued_by(self, prompt: Sequence[int]) -> bool:
        """Whether a prompt ends as the stopped text does; encoding the text again may have changed some tokens."""
        shared = Counter(self.tail) & Counter(prompt[-len(self.tail) :])
        return 2 * shared.total() >= len(self.tail)


class EntropyControlPass(LogitsProcessor):  # type: ignore[misc]
    """The logits processor of one pass over one sequence.

    temperature: of the entropies; end: the token forced at a trigger; history: the sample's entropies, in nats, to
    which the pass appends its own. `last_stop` is where the sample's last pass stopped: the pass then reflects before
    its first token. A config without `max_retries` never stops. Raises SRGenError for a batch of several sequences.
    """

    def __init__(
        self,
        model: Any,
        config: SRGenConfig,
        *,
        temperature: float,
        end: int,
        history: list[float],
        last_stop: Stop | None,
        tokenizer: Any = None,
    ) -> None:
        self.stop: Stop | None = None
        self.delta: Tensor | None = None
        self.reflection: Reflection | None = None
        self._config = config
        self._temperature = temperature
        self._end = end
        self._history = history
        self._monitor = EntropyMonitor(config)
        for value in history:
            self._monitor.observe(value)
        self._last_stop = last_stop
        masked = marker_tokens(tokenizer) if tokenizer is not None else frozenset()
        self._processor = SRGenProcessor(readout_of(model), masked)
        self._passes = ForwardPasses(model)
        self._prompt_length: int | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (1, V) of one step: corrected at the first one, all but the end token forbidden at a trigger."""
        if input_ids.shape[0] != 1:
            raise SRGenError(
                "entropy_control stops at a trigger, so it takes one sequence and num_beams=1; "
                "for batches pass srgen_config= to generate"
            )
        logits, _ = self._passes.last(scores)
        if self._prompt_length is None:
            self._prompt_length = input_ids.shape[1]
            corrected = scores if self._last_stop is None else self._reflect(input_ids, scores, logits, self._last_stop)
        else:
            corrected = self._watch(input_ids, scores, logits, self._prompt_length)
        self._passes.clear()
        return corrected

    def _reflect(self, input_ids: Tensor, scores: Tensor, logits: Tensor, stop: Stop) -> Tensor:
        hidden, mask = self._passes.prompt(input_ids)
        prompt = input_ids[0][mask[0]].tolist()
        once = dataclasses.replace(self._config, max_retries=1)
        self._processor.admit(0, once, self._temperature, prompt, hidden[0][mask[0]])
        self._processor.triggered([0], [stop.entropy])
        corrected = self._processor.reflect([0], logits)
        self.delta = self._processor.delta(0)
        (reflection,) = self._processor.release(0).reflections
        self.reflection = dataclasses.replace(reflection, entropy_before=stop.entropy, threshold=stop.threshold)
        return torch.where(scores == logits, corrected, scores + (corrected - logits)).to(scores.dtype)

    def _watch(self, input_ids: Tensor, scores: Tensor, logits: Tensor, prompt_length: int) -> Tensor:
        value = float(entropy(logits, self._temperature))
        threshold = self._monitor.threshold()
        self._monitor.observe(value)
        self._history.append(value)
        if value <= threshold or not self._config.max_retries:
            return scores
        generated = input_ids[0, prompt_length:].tolist()
        self.stop = Stop(len(generated), value, threshold, tuple(generated[-TAIL:]))
        forced = torch.full_like(scores, -torch.inf)
        forced[:, self._end] = 0.0
        return forced

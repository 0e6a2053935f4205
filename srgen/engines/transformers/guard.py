"""No model is decoded in a way that was not seen to be right: which passes agree with the model's own full pass.

A short batch of unequal prompts is decoded with tokens that are fixed beforehand, a row entering and one leaving on the
way, and every step's logits and hidden states are held against one pass over the whole texts.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from srgen.engines.transformers.batched_passes import BatchedPasses
from srgen.engines.transformers.forward import Forward
from srgen.engines.transformers.passes import Passes, SeparatePasses, WholePasses
from srgen.errors import UnsupportedModelError

MANNERS: tuple[Callable[[Forward], Passes], ...] = (BatchedPasses, SeparatePasses, WholePasses)
"""Fastest first."""
LENGTH = 13
"""Tokens of each text."""
TOLERANCE = 1e-3
"""Largest relative error of a step's logits in float32."""
HALF_TOLERANCE = 0.1
"""The same in half precision, of the better of two steps: in one, rounding may choose other experts."""

log = logging.getLogger(__name__)
_checked: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
"""Of each model, the index of the fastest manner that was right."""


@torch.inference_mode()
def checked_passes(model: Any, forward: Forward, prepare: Callable[[], None]) -> Passes:
    """The fastest right way to decode with a model; a line is logged where it is a slow one.

    `prepare` changes the model to what decoding wants of it; what is right is what the model gives before.
    Raises UnsupportedModelError for a model that none of them decodes right.
    """
    if model not in _checked:
        _checked[model] = _fastest(model, forward, prepare)
    else:
        prepare()
    return MANNERS[_checked[model]](forward)


def _fastest(model: Any, forward: Forward, prepare: Callable[[], None]) -> int:
    name = f"{type(model).__name__} ({model.config.get_text_config().model_type})"
    texts = _texts(model)
    try:
        expected = forward.all_positions(texts)
    except Exception as error:
        raise UnsupportedModelError(f"{name} cannot be run on text alone: {_reason(error)}") from error
    prepare()
    reasons: list[str] = []
    for index, manner in enumerate(MANNERS):
        passes = manner(forward)
        reason = _fault(passes, texts, expected)
        if reason is None:
            if reasons:
                log.warning("%s is decoded %s, which is slower: batched, %s", name, passes.manner, reasons[0])
            return index
        reasons.append(reason)
    raise UnsupportedModelError(f"{name} is not decoded right in any way that is known here: {reasons[-1]}")


def _fault(passes: Passes, texts: list[list[int]], expected: tuple[Tensor, Tensor]) -> str | None:
    """What is wrong with the passes on this model; None where they are right."""
    try:
        worst = max(_errors(passes, texts, expected))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        return _reason(error)
    if worst <= 1.0:
        return None
    return "its logits are not those of the whole text"


def _errors(passes: Passes, texts: list[list[int]], expected: tuple[Tensor, Tensor]) -> Iterator[float]:
    """Relative errors, in tolerances, of a batch: two rows begin, a third enters, the first ends."""
    batch = _Batch(passes, texts, expected)
    yield from batch.admit({0: 2, 1: 7})
    yield batch.steps(2)
    yield from batch.admit({2: 4})
    yield batch.steps(batch.repeats)
    batch.remove(0)
    yield batch.steps(batch.repeats)
    passes.clear()


class _Batch:
    """Rows in flight, beside the pass over their whole texts: logits (n, T, V) and hidden states (n, T, d)."""

    def __init__(self, passes: Passes, texts: list[list[int]], expected: tuple[Tensor, Tensor]) -> None:
        self._passes = passes
        self._texts = texts
        self._logits, self._hidden = expected
        self._rows: list[int] = []
        self._known = [0] * len(texts)
        self._half = self._hidden.dtype in (torch.bfloat16, torch.float16)
        self.repeats = 2 if self._half else 1
        """Steps that a further change takes to be seen."""

    def admit(self, lengths: dict[int, int]) -> Iterator[float]:
        """Begin texts with so many tokens of theirs; the errors."""
        texts = list(lengths)
        for group in self._passes.groups(list(lengths.values())):
            rows = [texts[index] for index in group]
            for row in rows:
                self._known[row] = lengths[row]
            done = self._passes.admit([self._texts[row][: lengths[row]] for row in rows])
            self._rows += rows
            for index, row in enumerate(rows):
                states = self._hidden[row, : lengths[row]]
                yield self._tolerances(_distance(done.hidden[index].flatten(), states.flatten()))
                yield self._error(row, done.logits[index], done.hidden[index][-1])

    def steps(self, count: int) -> float:
        """The largest error of any row in so many steps."""
        errors = [self._step() for _ in range(count)]
        worst: Callable[[Iterable[float]], float] = min if self._half else max
        return max(worst(of_row) for of_row in zip(*errors, strict=True))

    def remove(self, text: int) -> None:
        """End a text."""
        index = self._rows.index(text)
        self._passes.remove(index)
        last = self._rows.pop()
        if index < len(self._rows):
            self._rows[index] = last

    def _step(self) -> list[float]:
        """One more token for every row; the errors by text."""
        done = self._passes.step([self._texts[row][self._known[row]] for row in self._rows])
        found = {}
        for index, row in enumerate(self._rows):
            self._known[row] += 1
            found[row] = self._error(row, done.logits[index], done.hidden[index])
        return [found[row] for row in sorted(found)]

    def _error(self, row: int, logits: Tensor, hidden: Tensor) -> float:
        position = self._known[row] - 1
        distances = (
            _distance(logits, self._logits[row, position]),
            _distance(hidden, self._hidden[row, position]),
        )
        return self._tolerances(max(distances))

    def _tolerances(self, distance: float) -> float:
        return distance / (HALF_TOLERANCE if self._half else TOLERANCE)


def _distance(ours: Tensor, expected: Tensor) -> float:
    """Euclidean distance of two vectors, relative to the spread of the second, where that is finite."""
    finite = expected.isfinite()
    ours, expected = ours[finite].float(), expected[finite].float()
    if not len(expected):
        return 0.0
    spread = (expected - expected.mean()).norm().clamp_min(1e-4 * expected.norm()).clamp_min(1e-12)
    distance = float((ours - expected).norm() / spread)
    return math.inf if math.isnan(distance) else distance


def _texts(model: Any) -> list[list[int]]:
    """Three texts of arbitrary tokens, none of which means something to the model (padding, an image, ...)."""
    config = model.config.get_text_config()
    special = {
        value
        for part in (model.config, config)
        for name, value in vars(part).items()
        if "token" in name and type(value) is int
    }
    plain = [token for token in range(min(config.vocab_size, 4096)) if token not in special] or [0]
    generator = torch.Generator().manual_seed(0)
    picks = torch.randint(len(plain), (3, LENGTH), generator=generator).tolist()
    return [[plain[index] for index in text] for text in picks]


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]

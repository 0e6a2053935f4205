"""A thinking model's block of thought: where it begins and ends, ended at a budget, or kept open (budget forcing).

Budget forcing is that of s1 (Muennighoff et al., arXiv 2501.19393): the first ends of thinking become "Wait".
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srgen.config import Sampling
from srgen.errors import ConfigError
from srgen.methods.contract import Method, Steer

MARKERS = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<thinking>", "</thinking>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
"""Beginning and end of the thoughts of known models, each a token of its own."""
GO_ON = "Wait"
"""What an ignored end of thinking becomes."""
ASK = "\n\n**Final Answer**\n"
"""What follows the end of thinking at the budget."""
_OPENING = re.compile(r"<think>\s*(?:</think>\s*)?$")


@dataclass(frozen=True, slots=True)
class Thinking:
    """A model's markers, and what is written in their place, as token ids."""

    begin: int
    end: int
    go_on: tuple[int, ...]
    ask: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any) -> Thinking:
        """The thinking of a tokenizer's model. Raises ConfigError where it has no markers."""

        def encode(text: str) -> tuple[int, ...]:
            return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

        for markers in MARKERS:
            begin, end = map(encode, markers)
            if len(begin) == len(end) == 1 and begin != end and begin[0] != getattr(tokenizer, "unk_token_id", None):
                return cls(begin[0], end[0], encode(GO_ON), encode(ASK))
        raise ConfigError(
            "thinking_budget, ignore_end and budget forcing need a thinking model, and this one's tokenizer has no "
            f"thinking markers such as {MARKERS[0][0]} and {MARKERS[0][1]}"
        )


class Steering:
    """One sample's tokens: as drawn, but where the budget or an ignored end puts others."""

    def __init__(self, thinking: Thinking, budget: int | None, ignore: int, prompt: Sequence[int]) -> None:
        """`budget` in tokens of thought; `ignore` ends become "Wait"; `prompt` tells whether it has opened a block."""
        self._thinking = thinking
        self._budget = budget
        self._ignore = ignore
        self._ignored = 0
        self._ended = False
        self._queue: deque[int] = deque()
        self._open = _is_open(thinking, prompt)
        self._thought = 0
        """Tokens within the block."""

    @property
    def forces(self) -> bool:
        """Whether the next token is known, whatever is drawn."""
        return bool(self._queue) or self._spent

    @property
    def report(self) -> dict[str, float]:
        """Ends that became "Wait", and 1 where the budget ended the thoughts."""
        return {"waits": self._ignored, "ended": float(self._ended)}

    def token(self, drawn: int) -> int:
        """The next token, given the one that was drawn."""
        token = self._queue.popleft() if self._queue else self._decide(drawn)
        if token == self._thinking.end:
            self._open = False
        elif self._open:
            self._thought += 1
        elif token == self._thinking.begin:
            self._open = True
        return token

    @property
    def _spent(self) -> bool:
        return self._open and self._budget is not None and self._thought >= self._budget

    def _decide(self, drawn: int) -> int:
        if self._spent:
            if drawn != self._thinking.end:
                self._ended = True
                self._queue.extend(self._thinking.ask)
            return self._thinking.end
        if self._open and drawn == self._thinking.end and self._ignored < self._ignore:
            self._ignored += 1
            first, *rest = self._thinking.go_on
            self._queue.extend(rest)
            return first
        return drawn


def opening(prompt: str, prefix: str = "") -> str:
    """The thinking that a prompt's end has opened ("<think>\\n"), or opened and closed; empty where it has not.

    `prefix`, with which the answer was made to begin, is not part of it.
    """
    # An opening is short; a search from the beginning of a long prompt would be slow where it holds much space.
    end = prompt[-(200 + len(prefix)) :]
    found = _OPENING.search(end.rstrip().removesuffix(prefix.strip()) if prefix.strip() else end)
    return "" if found is None else found.group()


def opening_of(tokenizer: Any, prompt: Sequence[int], prefix: str) -> str:
    """`opening` of a prompt in tokens."""
    return opening(str(tokenizer.decode(prompt[-(32 + len(prefix)) :], skip_special_tokens=False)), prefix)


def steers(sampling: Sampling) -> bool:
    """Whether the sampling asks for any of it."""
    return sampling.thinking_budget is not None or sampling.ignore_end > 0


def steer_of(sampling: Sampling, methods: Sequence[Method], tokenizer: Any, prompt: Sequence[int]) -> Steer | None:
    """What forces tokens upon a sample with this prompt: its sampling, else one of its methods, else nothing.

    Raises ConfigError where the tokenizer's model has no thinking markers.
    """
    if steers(sampling):
        return Steering(Thinking.of(tokenizer), sampling.thinking_budget, sampling.ignore_end, prompt)
    found = (method.steer(tokenizer, prompt) for method in methods)
    return next((steer for steer in found if steer is not None), None)


def forced_reports(methods: Sequence[Method], steer: Steer | None) -> dict[str, Mapping[str, float]]:
    """What the methods that force tokens report of a sample, by their names."""
    return {} if steer is None else {method.name: steer.report for method in methods if method.forces_tokens}


def _is_open(thinking: Thinking, prompt: Sequence[int]) -> bool:
    """Whether a prompt ends within a block that it has opened itself."""
    for token in reversed(prompt):
        if token in (thinking.begin, thinking.end):
            return token == thinking.begin
    return False

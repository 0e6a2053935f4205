"""What a way to generate is: a frozen dataclass of its parameters, and what it does to a sample's logits rows.

d hidden size, V vocabulary size. Nothing here imports torch, so that a command line can list the methods at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor


def parameter(default: Any, unit: str, text: str) -> Any:
    """A field of a method's dataclass; the flag `--<method>_<field>` and its line in the help follow from it."""
    return field(default=default, metadata={"unit": unit, "help": text})


class Head(Protocol):
    """The model's LM head, as a method sees it (srgen.method.readout.Readout)."""

    @property
    def cap(self) -> float | None:
        """Soft cap of the logits, or None."""
        ...

    @property
    def vocabulary(self) -> int:
        """V."""
        ...

    @property
    def hidden(self) -> int:
        """d."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits rows (n, V), float32, of last hidden states (n, d)."""
        ...

    def shift(self, delta: Tensor) -> Tensor:
        """What corrections (n, d) add to the logits before the cap, (n, V)."""
        ...

    def pull_back(self, gradient: Tensor) -> Tensor:
        """Gradients by the corrections, (n, d), from those by their shifts, (n, V)."""
        ...

    def move(self, logits: Tensor, shift: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits after a shift before the cap, and their derivative by it (None for 1)."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt after its forward pass: n token ids, and the last hidden states (n, d) of all of them."""

    tokens: Sequence[int]
    hidden: Tensor


class Steer(Protocol):
    """What puts other tokens in the place of those drawn, for one sample."""

    @property
    def forces(self) -> bool:
        """Whether the next token is known, whatever is drawn."""
        ...

    @property
    def report(self) -> Mapping[str, float]:
        """Numbers for the sample's line in samples.jsonl."""
        ...

    def token(self, drawn: int) -> int:
        """The next token, given the one that was drawn."""
        ...


@dataclass(frozen=True, slots=True)
class Effect:
    """What a method found for one sample when its prompt had been read."""

    delta: Tensor | None = None
    """(d,), float32: added to every last hidden state of the sample from its first token on, which adds W delta to
    every logits row."""
    report: Mapping[str, float] = field(default_factory=dict)
    """Numbers for the sample's line in samples.jsonl."""


class Method:
    """Base of a method. A subclass is a frozen dataclass whose fields are `parameter`s, checked in `__post_init__`.

    Put it in a file of this package, or name it in the entry point group `srgen.methods` of another one.
    """

    __slots__ = ()

    name: ClassVar[str]
    """As in `--method`; also the prefix of its flags. Lower case, without `+`."""
    title: ClassVar[str]
    """Heading of its flags."""

    def begin(self, head: Head, prompts: Sequence[Prompt]) -> list[Effect]:
        """The effect on each of some samples whose prompts have just been read; by default there is none.

        It must depend on the sample's own prompt alone, whatever other prompts come with it.
        """
        return [Effect() for _ in prompts]

    def change(self, logits: Tensor, tokens: Sequence[int]) -> Tensor:
        """A sample's row (V,), float32, as the next token shall be drawn from it, after the `tokens` generated so far.

        A method that overrides this changes rows in a way that SRGen's context cannot know, and does not combine with
        it.
        """
        return logits

    def steer(self, tokenizer: Any, prompt: Sequence[int]) -> Steer | None:
        """What forces tokens upon a sample with this prompt; by default nothing does.

        At most one of a sample's methods may. Raises ConfigError where the model does not have what it needs.
        """
        return None

    @property
    def forces_tokens(self) -> bool:
        """Whether `steer` does anything."""
        return type(self).steer is not Method.steer

    @property
    def changes_rows(self) -> bool:
        """Whether `change` does anything."""
        return type(self).change is not Method.change

    @property
    def works_on_rows(self) -> bool:
        """Whether it needs the model's LM head."""
        return self.changes_rows or type(self).begin is not Method.begin

    def as_dict(self) -> dict[str, Any]:
        """The parameters by name."""
        return {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}  # type: ignore[arg-type]

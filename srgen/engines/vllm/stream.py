"""What is kept of one request that vLLM runs with SRGen, between its steps. Nothing here imports vLLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from srgen.engines.vllm.steps import Segment
from srgen.method.rows import Rows
from srgen.methods.contract import Method, Steer


@dataclass(slots=True)
class PromptSoFar:
    """The positions of a prompt that have been computed, for `methods`: tokens, and hidden states (n, d) in chunks."""

    methods: tuple[Method, ...]
    tokens: list[int] = field(default_factory=list)
    hidden: list[Tensor] = field(default_factory=list)


@dataclass(slots=True)
class Stream:
    """A request that is followed."""

    temperature: float
    tag: str | None
    prompt_tokens: Sequence[int] = ()
    """Of the prompt; none where it is not known. Samples that have the same one share its rows."""
    prompt: PromptSoFar | None = None
    """What has come of the prompt, for methods that begin when all of it is there; None once they have."""
    methods: tuple[Method, ...] = ()
    steer: Steer | None = None
    """What forces tokens upon it."""
    signals: list[Tensor] | None = None
    """(3,) float16 of each row that a token was drawn from, on the device; None where nobody wants them."""
    absorbed: int = 0
    """Positions whose rows are in the context: all before this one."""
    monitored: int = -1
    """Position of the last row that was monitored."""
    held: Rows | None = None
    """The newest rows of a step, uncorrected: its own is at index `row`, and belongs to position `position`."""
    row: int = 0
    position: int = -1

    @property
    def forces(self) -> bool:
        """Whether the next token is known, whatever is drawn."""
        return self.steer is not None and self.steer.forces

    @property
    def prompt_rows(self) -> int:
        """Rows whose labels are of the prompt."""
        return max(0, len(self.prompt_tokens) - 1)

    def awaits(self, segment: Segment) -> bool:
        """Whether the segment's first token is the label of the held row, which the context does not have yet."""
        return self.held is not None and self.absorbed == self.position == segment.start - 1

"""The contract between the harness and whatever generates: requests in, completions out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

from srgen.config import Sampling, SRGenConfig
from srgen.methods.contract import Method

FinishReason = Literal["stop", "length", "error"]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One sample to generate. A sample's tokens depend on the request alone, never on its neighbours in a batch."""

    id: str
    """Unique among the requests that an engine holds."""
    prompt: str | tuple[Message, ...] | tuple[int, ...]
    """Plain text, a chat that goes through the model's template, or token ids used as they are."""
    template_arguments: str | None = None
    """Arguments of the chat template beyond the messages, a JSON object: `{"enable_thinking": true}`."""
    prefix: str = ""
    """Forced beginning of the answer; not written again where the template ends with it."""
    sampling: Sampling
    seed: int
    """Seed of the sample's own random stream, 0 <= seed < 2**63."""
    srgen: SRGenConfig | None = None
    """SRGen's parameters; None generates without it."""
    methods: tuple[Method, ...] = ()
    """Further methods, in the order in which they begin; SRGen works on the rows that they leave."""
    ignore_eos: bool = False
    """Go on after an end token until the budget is spent, for measuring speed."""
    record_entropy: bool = False
    """Keep the entropy of every generated token in the completion (also without SRGen)."""
    record_signals: bool = False
    """Keep each token's signals in the completion."""
    record_tokens: bool = False
    """Whoever made the request wants each token's string; an engine does nothing for it."""
    logprobs: int | None = None
    """Keep the log-probability of every generated token, and of this many of the most likely ones; None keeps none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflection:
    """One reflection: where, why, and what it did. Entropies are in nats at the sampling temperature."""

    position: int
    """Index in the generated tokens of the token that was sampled from the corrected logits."""
    entropy_before: float
    entropy_after: float
    threshold: float
    losses: tuple[float, ...]
    """Loss before each optimisation step."""
    delta_norm: float
    """Euclidean norm of the correction vector."""
    token_before: int
    """Most likely token before the correction."""
    token_after: int
    """Most likely token after the correction."""
    probabilities_before: tuple[float, float] | None = None
    """Of `token_before` and of `token_after` before the correction, at the sampling temperature; None where a server of
    an earlier version does not say."""
    probabilities_after: tuple[float, float] | None = None
    """The same two after the correction."""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """From what JSON or another encoding without tuples made of it."""
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in entry.items()}
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Log-probabilities of one step at temperature 1, corrected where the step was reflected on."""

    chosen: float
    top: tuple[tuple[int, float], ...]
    """(token, log-probability) of the most likely tokens, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What became of a request."""

    id: str
    prompt_tokens: int
    token_ids: tuple[int, ...]
    """Generated tokens, the end token included where one was generated."""
    text: str
    """Decoded without special tokens, after the request's prefix, cut before a stop string."""
    finish_reason: FinishReason
    opening: str = ""
    """What the prompt's end had written of the thinking, such as "<think>\\n"; empty where an engine does not tell."""
    reasoning: str | None = None
    """The thoughts, where an endpoint gives them apart from the text."""
    reflections: tuple[Reflection, ...] = ()
    reports: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """What the request's methods report, by the method's name."""
    entropies: tuple[float, ...] | None = field(default=None)
    """With `record_entropy`: entropies[i] is that of the step that gave token_ids[i], before any reflection; the
    first is NaN, since the prompt's own forward pass is not monitored."""
    signals: bytes | None = None
    """With `record_signals`: four little-endian float16 a token, as srgen.method.signals gives them."""
    logprobs: tuple[TokenLogprobs, ...] | None = None
    """With `logprobs` in the request: one per generated token."""
    seconds: float = 0.0
    """Wall time from the request's admission to its last token."""
    error: str | None = None
    """Why `finish_reason` is "error"."""


class Engine(Protocol):
    """Generates completions for requests, pulling a request whenever a place in the batch is free.

    `requests` may be endless. It gives None for "nothing at present": the engine then goes on with the rows that it
    holds and asks again after its next step. A source may therefore block only while the engine holds no request.
    """

    batch_size: int
    """Places in the batch; may be lowered between two calls of `generate`, after running out of memory, say."""
    on_step: Callable[[], None]
    """Called after every decoding step; does nothing until the caller sets it. What it raises ends `generate`."""

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        """Yield one completion per request the moment its row ends, in any order.

        Raises what the device raises (torch.OutOfMemoryError, ...); the rows in flight are then lost and the engine
        can be asked again.
        """
        ...

    def decode_tokens(self, token_ids: Sequence[int]) -> list[str]:
        """The string of each token by itself, special tokens included."""
        ...

    def close(self) -> None:
        """Release the model; the engine cannot be used afterwards."""
        ...

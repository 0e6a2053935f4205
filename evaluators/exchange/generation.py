"""What a file of another tool says, in our words: one `Generation` per response, and a `Source` that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FinishReason = Literal["stop", "length", "error"]

OWN = ("reasoning", "opening", "tag_tokens", "methods")
"""Fields of `Sample` that a source has only where it was written from a run of ours (`reasoning` also elsewhere)."""
_CUT_OFF = frozenset({"length", "max_tokens", "max_length", "model_length", "truncated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One response to one question, as its source tells it."""

    where: str
    """File and line, for messages."""
    keys: tuple[str, ...] = ()
    """Identifiers and hashes of its question."""
    question: str | None = None
    """The question in the source's words, with or without instructions around it."""
    sample: int | None = None
    """Index among the responses to its question; None numbers them in the order of the source."""
    response: str | None
    """None where nothing was generated."""
    gold: str | None = None
    prompt_tokens: int = 0
    tokens: int | None = None
    """Generated tokens; None where the source does not count them."""
    finish_reason: FinishReason | None = None
    """None where the source does not say."""
    reflections: int = 0
    seconds: float = 0.0
    seed: int = 0
    worker: str = "imported"
    error: str | None = None
    correct: bool | None = None
    """The source's own verdict; None where it has none."""
    answer: str | None = None
    """The answer that the source extracted."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Sample` as they are, of those in `OWN`."""


@dataclass(slots=True)
class Source:
    """A file or folder of another tool."""

    format: str
    generations: Iterator[Generation]
    """Read as they are asked for; the other fields may grow until the last one."""
    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the source kept of the config.yaml that the samples were generated with, and `wall_seconds`."""
    notes: list[str] = field(default_factory=list)
    """What the reader left out, one sentence each."""


def own_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `OWN` that are there."""
    return {name: values[name] for name in OWN if values.get(name) is not None}


def finish_reason_of(value: Any) -> FinishReason | None:
    """A tool's word for why a response ended; None where it has none."""
    if value is None or value == "":
        return None
    word = str(value).lower()
    if word == "error":
        return "error"
    return "length" if word in _CUT_OFF else "stop"


def truth_of(value: Any) -> bool | None:
    """A tool's verdict as a truth value; None for what is neither right nor wrong (a share, a skipped sample)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        return {"c": True, "true": True, "1": True, "1.0": True, "correct": True}.get(
            word, False if word in {"i", "n", "false", "0", "0.0", "incorrect"} else None
        )
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return None


def whole_number(value: Any, name: str, where: str) -> int:
    """A count or an index from JSON or CSV. Raises ValueError for anything else."""
    try:
        number = int(value) if isinstance(value, str) else value
        if isinstance(number, bool) or number != int(number) or number < 0:
            raise ValueError
        return int(number)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: {name} must be a whole number from 0, not {value!r}") from None

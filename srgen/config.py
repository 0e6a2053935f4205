"""What a generation depends on: SRGen's parameters and the sampling ones, validated on construction."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from srgen.errors import ConfigError

ReflectionMode = Literal["support", "sketch", "exact"]

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off", ""})
"""What a switch may be set to."""


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class SRGenConfig:
    """Parameters of SRGen; the defaults are the paper's setting (arXiv 2510.02919, section 5.1).

    Entropies and thresholds are in nats. Raises ConfigError when a value is out of range.
    """

    times: int = 3
    """AdamW steps per reflection."""
    lr: float = 0.01
    """AdamW learning rate."""
    entropy_weight: float = 0.05
    """lambda of the loss (1 - lambda) * CE + lambda * H."""
    entropy_threshold: float = 3.0
    """Static threshold; with `adaptive_entropy` it holds until the window is full."""
    adaptive_entropy: bool = True
    """Threshold from the last N entropies: max(mean + K * max(std, minimal_std), minimal_threshold)."""
    adaptive_entropy_N: int = 25
    """Window of the adaptive threshold, in tokens."""
    adaptive_entropy_K: float = 4.0
    """Standard deviations above the window's mean."""
    minimal_std: float = 0.5
    """Floor of the window's standard deviation."""
    minimal_threshold: float = 1.8
    """Floor of the adaptive threshold."""
    max_retries: int = 20
    """Reflections allowed per sample."""
    mask_special_tokens: bool = False
    """Leave chat markers ("system", "user", "assistant", ":", newline) out of the CE labels."""
    reflection: ReflectionMode = "support"
    """How a reflection computes: on a sketch of the context's logits rows and the rows of W that matter (support), on
    the sketch and all of W, or on the context's full rows (exact)."""
    sketch_top: int = 0
    """M, the probabilities kept per context position in the sketch; 0 becomes 64 with a support, 256 without."""
    support_size: int = 0
    """Tokens of the support; 0 takes those whose part of the gradient is above a floor."""

    def __post_init__(self) -> None:
        _require(
            self.times >= 1,
            f"times must be at least 1 optimisation step, not {self.times}; to switch SRGen off, leave it out",
        )
        _require(0 < self.lr < math.inf, f"lr must be positive, not {self.lr}")
        _require(0 <= self.entropy_weight <= 1, f"entropy_weight must lie in [0, 1], not {self.entropy_weight}")
        _require(
            self.entropy_threshold >= 0, f"entropy_threshold must be at least 0 nats, not {self.entropy_threshold}"
        )
        _require(
            self.adaptive_entropy_N >= 2, f"adaptive_entropy_N must be at least 2 tokens, not {self.adaptive_entropy_N}"
        )
        _require(self.adaptive_entropy_K >= 0, f"adaptive_entropy_K must be at least 0, not {self.adaptive_entropy_K}")
        _require(self.minimal_std >= 0, f"minimal_std must be at least 0, not {self.minimal_std}")
        _require(
            self.minimal_threshold >= 0, f"minimal_threshold must be at least 0 nats, not {self.minimal_threshold}"
        )
        _require(self.max_retries >= 0, f"max_retries must be at least 0, not {self.max_retries}")
        modes = get_args(ReflectionMode)
        _require(self.reflection in modes, f"reflection must be one of {', '.join(modes)}, not {self.reflection!r}")
        _require(self.support_size >= 0, f"support_size must be at least 0 tokens, not {self.support_size}")
        _require(self.sketch_top >= 0, f"sketch_top must be at least 0, not {self.sketch_top}")
        if not self.sketch_top:
            object.__setattr__(self, "sketch_top", 64 if self.reflection == "support" else 256)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build from a mapping of field names, as YAML gives it.

        Raises ConfigError for an unknown name or a value of the wrong type or range.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(fields))
        _require(not unknown, f"unknown SRGen parameter {unknown[0] if unknown else ''!r}; known: {', '.join(fields)}")
        return cls(**{name: parse_value(name, value, str(fields[name].type)) for name, value in values.items()})

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Build from the released code's environment variables (`times`, `lr`, `entropy_weight`, ...)."""
        environ = os.environ if environ is None else environ
        return cls.from_mapping({f.name: environ[f.name] for f in dataclasses.fields(cls) if f.name in environ})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn from the logits. Raises ConfigError when a value is out of range."""

    do_sample: bool = True
    """Sample; otherwise decode greedily (temperature then counts as 1 in entropies)."""
    temperature: float = 0.6
    """Softmax temperature."""
    top_p: float = 0.95
    """Nucleus mass; 1 keeps every token."""
    top_k: int = 0
    """Keep the k most likely tokens; 0 keeps every token."""
    min_p: float = 0.0
    """Keep the tokens that have this share of the likeliest one's probability; 0 keeps every token."""
    top_h: float = 0.0
    """Keep the likeliest tokens that hold this share of the entropy of the 100 likeliest; 0 keeps every token."""
    max_new_tokens: int = 4096
    """Budget of generated tokens for the whole sample, whatever is reflected on in it."""
    stop: tuple[str, ...] = ()
    """Generation ends before the first of these strings."""
    thinking_budget: int | None = None
    """Tokens after which a thinking model's thoughts are ended and its answer is asked for; None lets it think."""
    ignore_end: int = 0
    """The first so many ends of thinking become "Wait" (budget forcing)."""

    def __post_init__(self) -> None:
        _require(
            0 < self.temperature < math.inf,
            f"temperature must be positive, not {self.temperature}; "
            "for greedy decoding set do_sample=False (--no-do_sample)",
        )
        _require(0 < self.top_p <= 1, f"top_p must lie in (0, 1], not {self.top_p}")
        _require(self.top_k >= 0, f"top_k must be at least 0, not {self.top_k}")
        _require(0 <= self.min_p <= 1, f"min_p must lie in [0, 1], not {self.min_p}")
        _require(0 <= self.top_h <= 1, f"top_h must lie in [0, 1], not {self.top_h}")
        budget = self.thinking_budget
        _require(budget is None or budget >= 0, f"thinking_budget must be at least 0 tokens, not {budget}")
        _require(self.ignore_end >= 0, f"ignore_end must be at least 0, not {self.ignore_end}")
        _require(self.max_new_tokens >= 1, f"max_new_tokens must be at least 1, not {self.max_new_tokens}")

    @property
    def entropy_temperature(self) -> float:
        """tau, the temperature at which entropies are taken."""
        return self.temperature if self.do_sample else 1.0


def parse_value(name: str, value: Any, kind: str) -> Any:
    """Turn text or a YAML scalar into a field's type (`int`, `float`, `bool`, anything else unchanged).

    Raises ConfigError naming the field when the value does not fit.
    """
    try:
        if kind == "bool":
            return _parse_bool(value)
        if kind in ("int", "float") and isinstance(value, bool):
            raise ValueError
        if kind == "int":
            return int(value) if isinstance(value, str) else _whole(value)
        if kind == "float":
            return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{name} must be of type {kind}, not {value!r}") from None
    return value


def _parse_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in TRUE | FALSE:
        return value.strip().lower() in TRUE
    raise ValueError


def _whole(value: Any) -> int:
    if value != int(value):
        raise ValueError
    return int(value)

"""SRGen's parameters as vLLM carries them: flat keys in a request's `SamplingParams.extra_args` (HTTP: `vllm_xargs`).

`{"srgen": 1}` switches SRGen on with the paper's setting; `srgen_<parameter>` changes a parameter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srgen.config import SRGenConfig, parse_value
from srgen.errors import ConfigError

SWITCH = "srgen"
PREFIX = "srgen_"
TAG = "srgen_tag"
"""Name under which a request's statistics wait for `SRGenWorker.srgen_take`; without one they are dropped."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a request asks of the worker."""

    config: SRGenConfig
    tag: str | None


def to_extra_args(config: SRGenConfig, tag: str) -> dict[str, str | int | float]:
    """The keys of a request, booleans as 0 and 1."""
    values = dataclasses.asdict(config)
    flat = {PREFIX + name: int(value) if isinstance(value, bool) else value for name, value in values.items()}
    return {SWITCH: 1, TAG: tag, **flat}


def from_extra_args(extra: Mapping[str, Any] | None) -> Arguments | None:
    """A request's arguments; None where SRGen is not switched on.

    Raises ConfigError for an unknown key, or a value of the wrong type or range.
    """
    given = {key: value for key, value in (extra or {}).items() if key == SWITCH or key.startswith(PREFIX)}
    if not parse_value(SWITCH, _text(given.pop(SWITCH, 0)), "bool"):
        if given:
            raise ConfigError(f"{next(iter(given))!r} has no effect without {SWITCH!r}: 1")
        return None
    tag = given.pop(TAG, None)
    kinds = {field.name: str(field.type) for field in dataclasses.fields(SRGenConfig)}
    values = {key.removeprefix(PREFIX): value for key, value in given.items()}
    # Over HTTP a switch is a number: vllm_xargs knows no booleans.
    values = {name: _text(value) if kinds.get(name) == "bool" else value for name, value in values.items()}
    return Arguments(SRGenConfig.from_mapping(values), None if tag is None else str(tag))


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value

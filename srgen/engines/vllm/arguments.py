"""SRGen's parameters as vLLM carries them: flat keys in a request's `SamplingParams.extra_args` (HTTP: `vllm_xargs`).

`{"srgen": 1}` switches SRGen on with the paper's setting; `srgen_<parameter>` changes a parameter.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srgen.config import Sampling, SRGenConfig, parse_value
from srgen.errors import ConfigError
from srgen.methods.contract import Method
from srgen.methods.registry import check_rewrites_nothing, methods
from srgen.thinking import steers

SWITCH = "srgen"
PREFIX = "srgen_"
TAG = "srgen_tag"
"""Name under which a request's statistics wait for `SRGenWorker.srgen_take`; without one they are dropped."""


SIGNALS = "srgen_signals"
"""1 asks for every row's signals."""
METHODS = "srgen_methods"
"""Further methods as JSON: parameters by the method's name, in the order in which they begin."""


FORCING = ("thinking_budget", "ignore_end")
"""Settings of srgen.config.Sampling that force tokens, in keys with PREFIX."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a request asks of the worker."""

    config: SRGenConfig
    tag: str | None
    methods: tuple[Method, ...] = ()
    signals: bool = False
    forcing: Sampling = field(default_factory=Sampling)
    """Its FORCING; the rest of the sampling is vLLM's."""


def to_extra_args(arguments: Arguments) -> dict[str, str | int | float]:
    """The keys of a request, booleans as 0 and 1; None, always a default, is left out."""
    values = dataclasses.asdict(arguments.config)
    values |= {name: getattr(arguments.forcing, name) for name in FORCING if steers(arguments.forcing)}
    flat = {
        PREFIX + name: int(value) if isinstance(value, bool) else value
        for name, value in values.items()
        if value is not None
    }
    if arguments.methods:
        flat[METHODS] = json.dumps({method.name: method.as_dict() for method in arguments.methods})
    if arguments.tag is not None:
        flat[TAG] = arguments.tag
    return {SWITCH: 1, SIGNALS: int(arguments.signals), **flat}


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
    chosen = _methods(given.pop(METHODS, "{}"))
    signals = parse_value(SIGNALS, _text(given.pop(SIGNALS, 0)), "bool")
    kinds = {field.name: str(field.type) for field in dataclasses.fields(SRGenConfig)}
    values = {key.removeprefix(PREFIX): value for key, value in given.items()}
    # Over HTTP a switch is a number: vllm_xargs knows no booleans.
    values = {name: _text(value) if kinds.get(name) == "bool" else value for name, value in values.items()}
    forced = {name: parse_value(PREFIX + name, values.pop(name), "int") for name in FORCING if name in values}
    return Arguments(
        SRGenConfig.from_mapping(values), None if tag is None else str(tag), chosen, signals, Sampling(**forced)
    )


def _methods(text: Any) -> tuple[Method, ...]:
    """Raises ConfigError for what is no such JSON, a method that is not known here, or one that rewrites rows."""
    try:
        parameters = dict(json.loads(text))
        chosen = tuple(methods()[name](**values) for name, values in parameters.items())
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{METHODS} must be JSON, known parameters by a known method's name: {error}") from None
    for method in chosen:
        check_rewrites_nothing(method)
    return chosen


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value

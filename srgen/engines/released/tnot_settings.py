"""What a wrapped model's generation depends on: the released package's environment variables, generate's arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from srgen.chat import token_set
from srgen.config import SRGenConfig, parse_value
from srgen.errors import ConfigError
from srgen.logits_processor import SRGenLogitsProcessor

RELEASED_DEFAULTS = {
    "times": "1",
    "lr": "0.1",
    "entropy_weight": "0.1",
    "entropy_threshold": "3.0",
    "adaptive_entropy": "False",
    "adaptive_entropy_N": "20",
    "adaptive_entropy_K": "2.0",
    "minimal_std": "0.5",
    "minimal_threshold": "1.8",
    "max_retries": "5",
}
"""What the released package takes for variables that are not set."""


TOKENIZER_PATH = "tokenizer_path"
"""The environment variable that names the tokenizer's folder."""


def environment_config(environ: Mapping[str, str] | None = None) -> SRGenConfig:
    """SRGen's parameters as the released package reads them. Raises ConfigError for a value that does not fit."""
    return SRGenConfig.from_environment(RELEASED_DEFAULTS | dict(os.environ if environ is None else environ))


def environment_temperature(environ: Mapping[str, str] | None = None) -> float:
    """The temperature of the entropies, from `temperature`; 1 where it is not set."""
    value = (os.environ if environ is None else environ).get("temperature", "1.0")
    temperature: float = parse_value("temperature", value, "float")
    if not temperature > 0:
        raise ConfigError(f"temperature must be positive, not {value}")
    return temperature


def environment_control(environ: Mapping[str, str] | None = None) -> bool:
    """Whether `entropy_control` asks that generation stop at the first trigger."""
    value = (os.environ if environ is None else environ).get("entropy_control", "False")
    return bool(parse_value("entropy_control", value, "bool"))


def sampling_temperature(model: Any, arguments: Mapping[str, Any]) -> float:
    """The temperature at which `model.generate(**arguments)` samples; 1 for greedy decoding."""
    if not _setting(model, arguments, "do_sample"):
        return 1.0
    return float(_setting(model, arguments, "temperature") or 1.0)


def end_tokens(model: Any, arguments: Mapping[str, Any]) -> frozenset[int]:
    """The tokens that end a row of `model.generate(**arguments)`."""
    return token_set(_setting(model, arguments, "eos_token_id"))


def in_place_processor(model: Any, config: SRGenConfig, arguments: Mapping[str, Any]) -> SRGenLogitsProcessor:
    """The processor that makes `model.generate(**arguments)` reflect in place.

    Raises ConfigError for beam search, and where `mask_special_tokens` finds no tokenizer.
    """
    if (_setting(model, arguments, "num_beams") or 1) > 1:
        raise ConfigError("SRGen reflects on one sequence at a time; use num_beams=1, or leave srgen_config out")
    return SRGenLogitsProcessor(
        model,
        config,
        temperature=sampling_temperature(model, arguments),
        eos_token_id=end_tokens(model, arguments),
        tokenizer=marker_tokenizer(config, arguments),
    )


def marker_tokenizer(config: SRGenConfig, arguments: Mapping[str, Any]) -> Any:
    """The tokenizer where the chat markers are wanted: generate's argument, else that of `tokenizer_path`."""
    if not config.mask_special_tokens:
        return None
    if arguments.get("tokenizer") is not None:
        return arguments["tokenizer"]
    if path := os.environ.get(TOKENIZER_PATH):
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(path)
    raise ConfigError("mask_special_tokens needs the tokenizer; pass tokenizer= or set tokenizer_path")


def with_processors(arguments: dict[str, Any], *processors: Any) -> dict[str, Any]:
    """generate's arguments with more logits processors, before the caller's: SRGen works on what the model says."""
    return arguments | {"logits_processor": [*processors, *(arguments.get("logits_processor") or [])]}


def _setting(model: Any, arguments: Mapping[str, Any], name: str) -> Any:
    if arguments.get(name) is not None:
        return arguments[name]
    return getattr(arguments.get("generation_config") or model.generation_config, name, None)

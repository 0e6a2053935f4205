"""A model without its weights: that its folder loads, how long its texts may be, and prompts as it will see them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srgen.chat import encode_request
from srgen.demo_model import resolve_model_path
from srgen.engines.base import Request
from srgen.errors import ConfigError

ADAPTER = "adapter_config.json"
"""The file that makes a folder a PEFT adapter's."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What is known of a model before its weights are loaded."""

    architecture: str
    positions: int | None
    """Longest prompt and answer together, in tokens; None where the model has no such limit."""
    tokenizer: Any

    def prompts(self, requests: Sequence[Request]) -> list[list[int]]:
        """Token ids of each request's prompt. Raises ConfigError for arguments that the template does not know."""
        return [encode_request(self.tokenizer, request) for request in requests]

    def text(self, prompt: Sequence[int]) -> str:
        """A prompt as the model sees it, special tokens included."""
        return str(self.tokenizer.decode(prompt, skip_special_tokens=False))


def preview(model_path: str, *, hub: bool = True) -> Preview:
    """Load a model's configuration and tokenizer. Raises ConfigError where that fails.

    Without `hub` only copies on this machine are looked at.
    """
    from transformers import AutoConfig, AutoTokenizer  # seconds to import

    path = resolve_model_path(model_path)
    try:
        config = AutoConfig.from_pretrained(_base(path), local_files_only=not hub)
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=not hub)
    except Exception as error:  # whatever a broken folder makes transformers raise
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"could not load the model {model_path!r}: {reason}") from error
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    return Preview(", ".join(config.architectures or [config.model_type]), positions, tokenizer)


def _base(path: str) -> str:
    """The model itself, where the folder is an adapter's."""
    if not is_adapter(path):
        return path
    adapter = json.loads((Path(path).expanduser() / ADAPTER).read_text("utf-8"))
    return str(adapter.get("base_model_name_or_path") or path)


def is_adapter(path: str) -> bool:
    """Whether a folder is a PEFT adapter's. Raises ConfigError for one where peft is not installed."""
    if not (Path(path).expanduser() / ADAPTER).is_file():
        return False
    if importlib.util.find_spec("peft") is None:
        raise ConfigError(f"{path} holds a PEFT adapter; it needs the package peft: pip install peft")
    return True

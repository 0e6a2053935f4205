"""The transformers engine: continuous batching over a plain forward pass, with SRGen between logits and token."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
)

from srgen.demo_model import resolve_model_path
from srgen.engines import EngineConfig
from srgen.engines.base import Completion, Request
from srgen.engines.preview import is_adapter
from srgen.engines.transformers.decode_loop import DecodeLoop
from srgen.engines.transformers.packed_linear import pack_linears
from srgen.errors import ConfigError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TransformersEngine:
    """Decodes up to `batch_size` requests together; a row that ends makes place for the next request."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        batch_size: int = 8,
        max_model_len: int | None = None,
        park_steps: int = 0,
    ) -> None:
        self.batch_size = batch_size
        self.on_step: Callable[[], None] = _nothing
        self.model = model
        self.tokenizer = tokenizer
        self._loop = DecodeLoop(model, tokenizer, max_model_len, park_steps)

    @classmethod
    def load(cls, config: EngineConfig) -> TransformersEngine:
        """Load model and tokenizer. Raises ConfigError when that fails."""
        model, tokenizer = load_model(config)
        if config.device_map is None:  # else layers may have hooks that move their inputs
            pack_linears(model)
        return cls(model, tokenizer, config.batch_size, config.max_model_len, config.park_steps)

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        """See Engine.generate."""
        source = iter(requests)
        exhausted = False
        try:
            while True:
                pulled: list[Request] = []
                while not exhausted and len(pulled) < self._loop.free(self.batch_size):
                    request = next(source, _END)
                    if isinstance(request, _End):
                        exhausted = True
                    elif request is None:
                        break
                    else:
                        pulled.append(request)
                yield from self._loop.admit(pulled)
                if len(self._loop):
                    completions = self._loop.step()
                    self.on_step()
                    yield from completions
                elif exhausted:
                    return
        finally:
            # Left early (an error, or the caller stopped): the rows in flight are given up.
            self._loop.clear()

    @property
    def tokens_in_flight(self) -> int:
        """Tokens that the rows of the batch have by now."""
        return sum(len(row.tokens) for row in self._loop.rows)

    def loop(self) -> DecodeLoop:
        """The batch itself, for a caller that admits, steps and cancels on its own (a server)."""
        return self._loop

    def decode_tokens(self, token_ids: Sequence[int]) -> list[str]:
        """The string of each token by itself, special tokens included."""
        return [self.tokenizer.decode([token]) for token in token_ids]

    def close(self) -> None:
        """Release the model."""
        self._loop.close()
        del self.model, self._loop
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _nothing() -> None:
    """The default of `on_step`."""


class _End:
    """Marks the end of a source, where None already means something."""


_END = _End()


def load_model(config: EngineConfig) -> tuple[Any, Any]:
    """(model, tokenizer) in evaluation mode on the configured device. Raises ConfigError when that fails."""
    path = resolve_model_path(config.model_path)
    looks_local = path.startswith((".", "/", "~")) or path.count("/") > 1
    if looks_local and not Path(path).expanduser().is_dir():
        raise ConfigError(f"there is no model folder {path}; give a folder, a hub id such as org/name, or demo")
    device = config.device or ("cuda:0" if torch.cuda.is_available() else "cpu")
    options: dict[str, Any] = {"dtype": _dtype(config.dtype, device)}
    if config.attn_implementation is not None:
        options["attn_implementation"] = config.attn_implementation
    if config.device_map is not None:
        options["device_map"] = config.device_map
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = _text_model(path).from_pretrained(path, **options)
        if config.device_map is None:
            model = model.to(device)
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"could not load the model {config.model_path!r}: {reason}") from error
    return model.eval(), tokenizer


def _text_model(path: str) -> Any:
    """The class that loads a checkpoint: some that also see images are listed as such only, and run on text too."""
    if is_adapter(path):
        return AutoModelForCausalLM
    config = AutoConfig.from_pretrained(path)
    listed = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING or bool(getattr(config, "auto_map", None))
    seeing = type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    return AutoModelForImageTextToText if seeing and not listed else AutoModelForCausalLM


def _dtype(name: str, device: str) -> torch.dtype:
    if name == "auto":
        return torch.float32 if device.startswith("cpu") else torch.bfloat16
    if name not in _DTYPES:
        raise ConfigError(f"dtype must be auto, {', '.join(_DTYPES)}, not {name!r}")
    return _DTYPES[name]


ENGINE = TransformersEngine

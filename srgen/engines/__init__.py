"""The engines, which turn requests into completions, what one is built from, and `load_engine`.

Each engine's library is imported when that engine is loaded; an engine imports no other, nor the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint

from srgen.discovery import discover, load
from srgen.engines.base import Engine
from srgen.suggest import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Accidents of the released code that the released engine brings back."""

    reencode_context: bool = False
    """At every trigger the context is decoded without special tokens and encoded again."""
    budget_per_pass: bool = False
    """max_new_tokens counts anew after every trigger."""
    drop_last_reflection: bool = False
    """max_retries counts passes: the sample ends at the trigger that would be reflected on last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """What an engine is built from; picklable, so that a worker process can build its own."""

    model_path: str
    """Folder, hub id, or `demo` for the embedded model."""
    backend: str = "transformers"
    device: str | None = None
    """None takes cuda:0 where there is a GPU, else cpu."""
    batch_size: int = 8
    dtype: str = "auto"
    attn_implementation: str | None = None
    device_map: str | None = None
    tensor_parallel: int = 1
    gpu_memory_utilization: float = 0.9
    max_model_len: int | None = None
    park_steps: int = 0
    """For the transformers backend: steps that a triggered row may wait for others to reflect with."""
    released: Switches = Switches()
    """For the released backend."""
    base_url: str | None = None
    """For the openai backend: the endpoint, up to and including /v1."""
    api_key_env: str = "OPENAI_API_KEY"
    """For the openai backend: the environment variable that holds the key."""


GROUP = "srgen.engines"
"""The entry point group in which another package offers an engine's class under the name of its backend."""


def engines() -> dict[str, EntryPoint]:
    """Where each engine's class is, by backend; none is imported. Raises ConfigError for a name that is taken twice.

    A class has `load(config: EngineConfig)`, which returns an `Engine`.
    """
    return discover(__name__, "ENGINE", GROUP)


def check_backend(name: str) -> None:
    """Raise ConfigError for an unknown backend, suggesting the nearest one."""
    if name not in (known := engines()):
        raise unknown_name("backend", name, known)


def load_engine(config: EngineConfig) -> Engine:
    """Load the model and return its engine.

    Raises ConfigError for an unknown backend, and when the model cannot be found or loaded.
    """
    # Engines are imported on demand: each brings a library that takes seconds to import and may be absent.
    check_backend(config.backend)
    engine: Engine = load(engines()[config.backend]).load(config)
    return engine

"""RunConfig: one object that says everything a run depends on."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evaluators.benchmarks.data_config import DataConfig
from evaluators.settings import identity
from srgen.config import Sampling, SRGenConfig
from srgen.errors import ConfigError
from srgen.methods.contract import Method
from srgen.methods.registry import SRGEN, check_combination, named
from srgen.thinking import steers

HOLDS_WEIGHTS = ("transformers", "vllm", "released")
"""Engines for which --model_path is a folder or a hub id; to others it may be anything."""
Launcher = Literal["local", "ray"]
DType = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which model, and how it is held. Decides what is generated."""

    model_path: str
    """Folder, hub id, or `demo` for the embedded model."""
    backend: str = "transformers"
    """Name of an engine: `srgen.engines.engines()` knows them."""
    dtype: DType = "auto"
    """auto is bfloat16 on CUDA and float32 on CPU."""
    attn_implementation: str | None = None
    device_map: str | None = None
    """`auto` spreads one model over all GPUs of a worker."""
    base_url: str | None = None
    """With the openai backend: the endpoint."""
    max_model_len: int | None = None
    """Longest prompt and answer together, in tokens; None is the model's own."""
    chat_template_kwargs: str | None = None
    """Arguments of the chat template, a JSON object with sorted keys."""
    weights: str | None = None
    """What lies in a model folder (`evaluators.settings.weights`); found when a run begins, never set."""
    revision: str | None = None
    """Commit of a hub's model; found when a run begins, never set."""
    number_format: str | None = None
    """What `dtype` comes to on this machine; found when a run begins, never set."""
    reencode_context: bool = False
    """With the released backend: decode the context without special tokens and encode it again at every trigger."""
    budget_per_pass: bool = False
    """With the released backend: max_new_tokens counts anew after every trigger."""
    drop_last_reflection: bool = False
    """With the released backend: the sample ends at the trigger that would be reflected on last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionConfig:
    """How the work is spread and written. Changes no sample, so a run may be resumed with other values."""

    device: str | None = None
    """Device without `parallel`; None takes cuda:0 where there is a GPU, else cpu."""
    batch_size: int = 8
    """Samples decoded together by one worker."""
    park_steps: int = 0
    """Steps that a sample which triggered may wait, so that several reflect together; 0 for none."""
    parallel: bool = False
    """Use every GPU (`max_parallel_gpus` at most); on CPU, `workers` processes."""
    max_parallel_gpus: int | None = None
    workers: int = 1
    """Worker processes where there is no GPU."""
    max_attempts: int = 3
    """Workers that a sample may kill before it is recorded as failed."""
    worker_timeout: float = 1800.0
    """Seconds of silence after which a worker is killed and replaced."""
    grading_workers: int = 1
    grading_timeout: float = 10.0
    """Seconds that one verdict may take."""
    launcher: Launcher = "local"
    ray_address: str | None = None
    tensor_parallel: int = 1
    gpu_memory_utilization: float = 0.9
    record_signals: bool = False
    """Write signals.f16, 8 bytes for every token, from which samples are chosen by their certainty."""
    api_key_env: str = "OPENAI_API_KEY"
    """With the openai backend: the environment variable that holds the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that a run depends on. Raises ConfigError when a value is out of range."""

    model: ModelConfig
    data: DataConfig
    sampling: Sampling
    srgen: SRGenConfig | None = None
    """None generates without SRGen."""
    methods: tuple[Method, ...] = ()
    """Further methods; without them and without SRGen, it is the base run."""
    average: int = 1
    """K, samples per question."""
    seed: int = 42
    record_entropy: bool = False
    execution: ExecutionConfig = field(default_factory=ExecutionConfig)

    def __post_init__(self) -> None:
        execution = self.execution
        check_combination(self.srgen is not None, self.methods, steers(self.sampling))
        _require_at_least_one("average", self.average, "sample per question")
        _require_at_least_one("eval_samples", self.data.eval_samples, "question")
        _require_at_least_one("batch_size", execution.batch_size, "sample")
        if execution.park_steps < 0:
            raise ConfigError(f"park_steps must be at least 0 steps, not {execution.park_steps}")
        _require_at_least_one("workers", execution.workers, "process")
        _require_at_least_one("grading_workers", execution.grading_workers, "process")
        _require_at_least_one("max_attempts", execution.max_attempts, "attempt")
        _require_at_least_one("max_parallel_gpus", execution.max_parallel_gpus, "GPU")
        _require_at_least_one("tensor_parallel", execution.tensor_parallel, "GPU")
        _require_at_least_one("max_model_len", self.model.max_model_len, "token")
        for name in ("grading_timeout", "worker_timeout"):
            if not 0 < getattr(execution, name) < math.inf:
                raise ConfigError(f"{name} must be positive seconds, not {getattr(execution, name)}")
        if not 0 < execution.gpu_memory_utilization <= 1:
            raise ConfigError(f"gpu_memory_utilization must lie in (0, 1], not {execution.gpu_memory_utilization}")

    @property
    def method(self) -> str:
        """The method's name in tables and folder names, such as `srgen+slot`."""
        return named([*([SRGEN] if self.srgen else []), *(method.name for method in self.methods)])

    def as_dict(self) -> dict[str, Any]:
        """Every field in plain values, the parameters of further methods by the methods' names."""
        values = dataclasses.asdict(self)
        if self.methods:
            values["methods"] = {method.name: method.as_dict() for method in self.methods}
        return values

    def identity(self) -> dict[str, Any]:
        """What decides the samples; see `evaluators.settings.identity`."""
        return identity.identity(self.as_dict(), RunConfig)


def _require_at_least_one(name: str, value: int | None, unit: str) -> None:
    if value is not None and value < 1:
        raise ConfigError(f"{name} must be at least 1 {unit}, not {value}")


def sample_seed(run_seed: int, question_id: str, sample: int) -> int:
    """Seed of one sample's random stream, in [0, 2**63), from nothing but its arguments."""
    digest = hashlib.sha256(f"{run_seed}\x1f{question_id}\x1f{sample}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def run_directory(output_dir: Path, config: RunConfig, run_name: str | None = None) -> Path:
    """results/<benchmark>/<model>/<run name>; without a name, one made of the method and the identity's hash."""
    if run_name is not None:
        check_run_name(run_name)
    return _place(output_dir, config) / (run_name or _name(config, identity.key))


def check_run_name(name: str) -> None:
    """Raise ConfigError for a name that is no single folder, here or on Windows."""
    if not name.strip() or name.strip(".") == "" or name != name.strip() or re.search(r'[/\\<>:"|?*\x00-\x1f]', name):
        raise ConfigError(
            f"--run_name must be the name of one folder, not {name!r}: no empty one, no blanks around it, "
            'and none of / \\ < > : " | ? *'
        )


def first_directory(output_dir: Path, config: RunConfig) -> Path:
    """The folder that the first version gave the run."""
    return _place(output_dir, config) / _name(config, identity.first_key)


def _place(output_dir: Path, config: RunConfig) -> Path:
    benchmark = config.data.benchmark + (f"-{config.data.version}" if config.data.version else "")
    return output_dir / benchmark / identity.path_name(config.model.model_path)


def _name(config: RunConfig, key: Callable[[Mapping[str, Any], type], str]) -> str:
    return f"{config.method}-k{config.average}-{key(config.as_dict(), RunConfig)}"

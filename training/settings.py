"""What a training is: one frozen object, read from a YAML file and checked before anything is loaded."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from evaluators.benchmarks.prompts import TAGS
from srgen.errors import ConfigError
from srgen.suggest import unknown_name
from srgen.yaml_file import read_yaml

ARITHMETIC = "arithmetic"
"""The questions that training/arithmetic.py draws; every other name is a benchmark of evaluators."""
DTYPES = ("auto", "float32", "bfloat16")
MOST_ARITHMETIC = 5000
"""More different problems than this are not drawn."""
REPLACED = {
    "data_path": "is called dataset_path",
    "num_pre_Q": "is called group_size",
    "Q_batch_size": "is called questions_per_step",
    "all_steps": "is called steps",
    "clip_param": "is called clip",
    "lr": "is called learning_rate",
    "save_path": "is called output_dir",
    "gen_device": "is not needed: the trainer's own model generates, on the devices that accelerate gives it",
    "ref_server": "is not needed: the trainer holds the reference model itself",
    "port": "is not needed: there is no reference server",
    "eval_prompt": "is not needed: answers are graded by evaluators.grading, not by a judge",
    "wandb_key": "is never written into a file: set report_to to wandb, and WANDB_API_KEY or `wandb login`",
}
"""Names of the released code's configuration, and what replaces them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Every value of a training; the defaults are PASR's, for a GPU. Raises ConfigError for one that does not fit."""

    model_path: str
    """Model folder, hub id, or `demo` for the embedded model."""
    output_dir: str
    """Folder of the checkpoints, the metrics and the trained model."""
    benchmark: str = ARITHMETIC
    """Whose questions are trained on: a benchmark of evaluators, or `arithmetic`, drawn by the seed."""
    dataset_path: str | None = None
    """Local file or folder with the benchmark's questions, instead of the hub."""
    split: str | None = None
    """Split of the hub's dataset, usually `train`."""
    questions: int | None = None
    """Questions drawn by the seed; all of them where it is left out (1000 of `arithmetic`)."""
    refine_prompt: str = TAGS
    """Instruction of the responses that are trained."""
    plain_prompt: str = "Solve the problem step by step. End with the line: The answer is ANSWER."
    """Instruction of the plain samples, with which a refinement is compared."""
    group_size: int = 8
    """Responses to a question, whose rewards are compared."""
    baseline_samples: int = 8
    """Plain samples of a question, drawn from the model as it is at that step; a multiple of group_size."""
    zeta: float = 0.0
    """How far the accuracy must be from the plain samples' mean to count as better or worse."""
    temperature: float = 0.9
    """Of all sampling while training."""
    max_new_tokens: int = 1500
    """Longest response, in tokens."""
    steps: int = 3000
    """Steps of GRPO's optimizer."""
    questions_per_step: int = 5
    """Questions of a step; each has group_size responses."""
    train_batch_size: int = 2
    """Responses that go through a device at once; the others of a step are accumulated."""
    learning_rate: float = 1e-6
    """Of GRPO, constant."""
    beta: float = 0.04
    """Weight of the divergence from the model after the warm-up."""
    clip: float = 0.2
    """How far a token's probability ratio may move, up or down."""
    warm_up_examples: int = 100
    """Worked examples from which the format is learnt before GRPO; 0 leaves the warm-up out."""
    warm_up_epochs: int = 3
    """How often the warm-up goes through its examples."""
    warm_up_batch_size: int = 8
    """Examples of a step of the warm-up, on each device."""
    warm_up_learning_rate: float = 1e-5
    """Of the warm-up, falling to 0."""
    lora_rank: int = 0
    """Rank of LoRA adapters on all linear layers; 0 trains every weight."""
    lora_alpha: int = 32
    """Scale of the adapters, which is divided by their rank."""
    vllm: Literal["auto", "always", "never"] = "auto"
    """Generate with vLLM beside the model: where a GPU and a version that TRL supports are there, always, or never."""
    dtype: str = "auto"
    """Number format of the weights; `auto` is bfloat16 where the GPU has it, else float32."""
    gradient_checkpointing: bool = True
    """Compute activations twice rather than keep them: slower, with less memory."""
    save_steps: int = 100
    """Steps between checkpoints; the warm-up writes one after each epoch at least."""
    format_samples: int = 64
    """Responses in which the format is counted before and after the warm-up."""
    report_to: str = "none"
    """Where TRL logs besides metrics.jsonl: trackio, wandb, tensorboard, several with commas between, or none."""
    seed: int = 0
    """Of the questions, the sampling and the adapters."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_range(field.name, getattr(self, field.name))
        if self.group_size < 2:
            raise ConfigError("group_size must be at least 2: a response is compared with others to the same question")
        if self.baseline_samples % self.group_size:
            raise ConfigError(
                f"baseline_samples ({self.baseline_samples}) must be a multiple of group_size ({self.group_size})"
            )
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype must be one of {', '.join(DTYPES)}, not {self.dtype!r}")
        if self.benchmark == ARITHMETIC and (self.dataset_path or self.split):
            raise ConfigError("dataset_path and split need a benchmark; `arithmetic` questions are drawn, not read")
        if self.benchmark == ARITHMETIC and (self.questions or 0) > MOST_ARITHMETIC:
            raise ConfigError(f"questions of `arithmetic` must be at most {MOST_ARITHMETIC}, not {self.questions}")

    @property
    def loggers(self) -> list[str]:
        """The names in `report_to`, none where it is `none`."""
        return [] if self.report_to == "none" else [name.strip() for name in self.report_to.split(",")]

    def accumulation(self, devices: int) -> int:
        """How many batches make a step on that many devices. Raises ConfigError where a step cannot be split so."""
        responses, at_once = self.questions_per_step * self.group_size, self.train_batch_size * devices
        if responses % at_once:
            raise ConfigError(
                f"a step has {responses} responses (questions_per_step x group_size), which must be a multiple of "
                f"{at_once} (train_batch_size x {devices} device{'s' if devices > 1 else ''})"
            )
        return responses // at_once


FROM_ZERO = ("zeta", "beta", "warm_up_examples", "lora_rank", "seed")


def _check_range(name: str, value: Any) -> None:
    """Numbers must be finite and above 0, or from 0 where 0 has a meaning; texts must not be empty."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, str):
        if not value.strip() and not name.endswith("_prompt"):
            raise ConfigError(f"{name} is empty")
        return
    if not math.isfinite(value) or value < 0 or (value == 0 and name not in FROM_ZERO):
        raise ConfigError(f"{name} must be {'at least' if name in FROM_ZERO else 'above'} 0, not {value}")


def read_settings(path: Path) -> TrainingConfig:
    """The training that a YAML file describes.

    Raises ConfigError for a file that cannot be read, an unknown or missing key, or a value that does not fit.
    """
    content = read_yaml(path, "the config file")
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold one `key: value` per line")
    return settings_of(content, str(path))


def settings_of(content: dict[Any, Any], where: str) -> TrainingConfig:
    """The training that keys and values describe; a null leaves the default. Raises ConfigError, naming `where`."""
    kinds = get_type_hints(TrainingConfig)
    for key in content:
        if key in REPLACED:
            raise ConfigError(f"{key} in {where} {REPLACED[key]}")
        if key not in kinds:
            raise unknown_name("key", str(key), kinds, where=f" in {where}")
    given = {key: _value(key, value, kinds[key], where) for key, value in content.items() if value is not None}
    for key in ("model_path", "output_dir"):
        if key not in given:
            raise ConfigError(f"{where} has no {key}")
    return TrainingConfig(**given)


def _value(key: str, value: Any, kind: Any, where: str) -> Any:
    choices = get_args(kind)
    if choices and all(isinstance(choice, str) for choice in choices):
        if value not in choices:
            raise ConfigError(f"{key} in {where} must be one of {', '.join(choices)}, not {value!r}")
        return value
    wanted = next((choice for choice in choices if choice is not type(None)), kind)
    if wanted is float and isinstance(value, str | int) and not isinstance(value, bool):
        # YAML reads 1e-6 as a text.
        try:
            return float(value)
        except ValueError:
            pass
    if type(value) is not wanted:
        raise ConfigError(f"{key} in {where} must be {_NAMES[wanted]}, not {value!r}")
    return value


_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}

"""Loading a model to train, and saving what was trained as a folder that everything else can load."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from srgen.errors import ConfigError
from training.session import Session
from training.settings import TrainingConfig


def load_tokenizer(model_path: str) -> Any:
    """The tokenizer, padding on the left as generation needs it. Raises ConfigError where there is none."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model_path, padding_side="left")
    except (OSError, ValueError) as error:
        raise ConfigError(f"no model can be loaded from {model_path!r}: {_first_line(error)}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(model_path: str, settings: TrainingConfig) -> Any:
    """The model in the number format of `weights_dtype`. Raises ConfigError where it cannot be loaded."""
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(model_path, dtype=weights_dtype(settings))
    except (OSError, ValueError) as error:
        raise ConfigError(f"no model can be loaded from {model_path!r}: {_first_line(error)}") from error


def weights_dtype(settings: TrainingConfig) -> str:
    """The number format that the weights are kept in.

    Weights that are trained stay float32, since bfloat16 cannot hold the small steps of PASR's learning rate; what is
    computed with them is bfloat16 where the GPU has it. Under adapters the model itself is not trained.
    """
    if settings.dtype != "auto":
        return settings.dtype
    return "bfloat16" if computes_in_bfloat16() and settings.lora_rank else "float32"


def computes_in_bfloat16() -> bool:
    """Whether there is a GPU that computes in bfloat16."""
    import torch

    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def adapters(settings: TrainingConfig) -> Any:
    """The LoRA configuration of a training; None where every weight is trained."""
    if not settings.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=settings.lora_rank, lora_alpha=settings.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def save_trained(trainer: Any, session: Session, base: str, folder: Path) -> None:
    """Write what was trained to `folder`, adapters merged into their base; the folder appears when it is complete."""
    from accelerate import PartialState

    partial = folder.with_name(f"{folder.name}.partial")
    state = PartialState()
    if state.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
    state.wait_for_everyone()
    trainer.save_model(str(partial))
    if state.is_main_process:
        if session.settings.lora_rank:
            _merge(base, partial, session.settings)
        session.tokenizer.save_pretrained(partial)
        (partial / "training_args.bin").unlink(missing_ok=True)
        partial.rename(folder)
    state.wait_for_everyone()


def _merge(base: str, adapter: Path, settings: TrainingConfig) -> None:
    """Replace a folder of adapters by the model that they and their base make."""
    from peft import PeftModel

    merged = PeftModel.from_pretrained(load_model(base, settings), str(adapter)).merge_and_unload()
    shutil.rmtree(adapter)
    merged.save_pretrained(adapter)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]

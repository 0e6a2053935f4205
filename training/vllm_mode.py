"""Whether vLLM generates: TRL runs it beside the model on the same GPU, and supports a range of its versions."""

from __future__ import annotations

import warnings
from typing import Any

from srgen.errors import ConfigError
from training.settings import TrainingConfig


def vllm_arguments(settings: TrainingConfig) -> dict[str, Any]:
    """TRL's arguments. Raises ConfigError where vLLM must be used and cannot."""
    if settings.vllm == "never":
        return {"use_vllm": False}
    obstacle = _obstacle()
    if obstacle and settings.vllm == "always":
        raise ConfigError(f"vllm is set to always, and {obstacle}; set it to auto to generate with transformers")
    return {"use_vllm": obstacle is None, "vllm_mode": "colocate"}


def _obstacle() -> str | None:
    """Why vLLM cannot be used here; None where it can."""
    import torch
    from trl.import_utils import is_vllm_available

    if not torch.cuda.is_available():
        return "there is no GPU"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if not is_vllm_available():
            return "vLLM is not installed"
    return str(caught[0].message).splitlines()[0] if caught else None

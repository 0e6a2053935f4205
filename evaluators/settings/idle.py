"""Flags that are given and do nothing."""

from __future__ import annotations

from collections.abc import Mapping

from evaluators.settings.run_config import RunConfig


def idle_flags(config: RunConfig, origins: Mapping[str, str]) -> list[str]:
    """What to say of each flag on the command line that this run has no use for."""
    execution, sampling = config.execution, config.sampling
    needs = {
        "temperature": ("--do_sample", sampling.do_sample),
        "top_p": ("--do_sample", sampling.do_sample),
        "top_k": ("--do_sample", sampling.do_sample),
        "min_p": ("--do_sample", sampling.do_sample),
        "top_h": ("--do_sample", sampling.do_sample),
        "gpu_memory_utilization": ("--backend vllm", config.model.backend == "vllm"),
        "api_key_env": ("--backend openai", config.model.backend == "openai"),
        "park_steps": ("--method srgen", config.srgen is not None),
        "ray_address": ("--launcher ray", execution.launcher == "ray"),
        "max_parallel_gpus": ("--parallel", execution.parallel),
    }
    said = [
        f"--{name} has no effect without {needed}"
        for name, (needed, holds) in needs.items()
        if origins.get(name) == "flag" and not holds
    ]
    if origins.get("device") == "flag" and execution.parallel and execution.device != "cpu":
        said.append("--device has no effect with --parallel, which uses every GPU")
    return said

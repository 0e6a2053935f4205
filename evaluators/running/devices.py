"""Which workers a machine gets: one per GPU (or group of GPUs), or several that share the cores."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from evaluators.settings.run_config import RunConfig
from srgen.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlace:
    """Where one worker runs."""

    name: str
    """`cuda:0`, `cpu:1`, ...: in samples.jsonl and the name of its log."""
    device: str | None
    """Device as the worker sees it; None lets the engine choose."""
    devices: frozenset[str]
    """What the worker occupies; two places that share a device cannot be taken at once."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set in the worker's process before torch is imported."""

    @property
    def log(self) -> str:
        """The name of its log, which every file system takes."""
        return log_name(self.name)


def log_name(worker: str) -> str:
    """`cuda:0` writes cuda-0.log: a colon has a meaning of its own on Windows."""
    return re.sub(r"[^\w.+-]", "-", worker) + ".log"


def visible_gpus(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Identifiers of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them; torch is not imported."""
    environ = os.environ if environ is None else environ
    if metadata.version("torch").endswith("+cpu"):
        return ()
    if (listed := environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return tuple(name.strip() for name in listed.split(",") if name.strip() not in ("", "-1"))
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60, check=True).stdout
        count = sum(line.startswith("GPU ") for line in answer.splitlines())
    except (OSError, subprocess.SubprocessError):
        count = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return tuple(str(index) for index in range(count))


def usable_cores() -> int:
    """CPU cores that this process may run on; the environment variable OMP_NUM_THREADS may ask for fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) else cores


def with_number_format(config: RunConfig, gpus: Sequence[str]) -> RunConfig:
    """The run with what its `dtype` comes to here; unknown where another program or machine decides."""
    model, execution = config.model, config.execution
    if model.backend not in ("transformers", "released") or execution.launcher != "local":
        return config
    on_cpu = not gpus or execution.device == "cpu"
    found = ("float32" if on_cpu else "bfloat16") if model.dtype == "auto" else model.dtype
    return dataclasses.replace(config, model=dataclasses.replace(model, number_format=found))


def plan_workers(config: RunConfig, gpus: Sequence[str], cores: int) -> tuple[WorkerPlace, ...]:
    """One place per worker. Raises ConfigError for a GPU that is not there or too few of them."""
    execution = config.execution
    if not gpus or execution.device == "cpu":
        if execution.device not in (None, "cpu"):
            raise ConfigError(f"device {execution.device!r} asks for a GPU, and none is visible here")
        return tuple(_cpu_place(index, cores // execution.workers) for index in range(execution.workers))
    if not execution.parallel and execution.device is not None:
        return (_gpu_place((_index(execution.device, len(gpus)),), gpus),)
    size = gpus_per_worker(config, len(gpus))
    if size > len(gpus):
        raise ConfigError(f"tensor_parallel {size} asks for more than the {len(gpus)} visible GPUs")
    usable = min(execution.max_parallel_gpus or len(gpus), len(gpus)) if execution.parallel else size
    starts = range(0, max(usable, size) - size + 1, size)
    return tuple(_gpu_place(tuple(range(start, start + size)), gpus) for start in starts)


def gpus_per_worker(config: RunConfig, gpus: int) -> int:
    """GPUs that one worker needs: `tensor_parallel`, or all of them for a model spread by `device_map`."""
    if config.execution.tensor_parallel > 1:
        return config.execution.tensor_parallel
    return gpus if config.model.device_map else 1


def _cpu_place(index: int, threads: int) -> WorkerPlace:
    count = str(max(1, threads))
    environment = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    name = f"cpu:{index}"
    return WorkerPlace(name=name, device="cpu", devices=frozenset({name}), environment=environment)


def _gpu_place(indices: tuple[int, ...], gpus: Sequence[str]) -> WorkerPlace:
    name = "cuda:" + "+".join(str(index) for index in indices)
    visible = ",".join(gpus[index] for index in indices)
    devices = frozenset(f"cuda:{index}" for index in indices)
    return WorkerPlace(name=name, device="cuda:0", devices=devices, environment={"CUDA_VISIBLE_DEVICES": visible})


def _index(device: str, gpus: int) -> int:
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal():
        raise ConfigError(f"device must be cpu, cuda or cuda:N, not {device!r}")
    index = int(number or "0")
    if index >= gpus:
        raise ConfigError(f"device {device!r} is not there: {gpus} GPUs are visible")
    return index

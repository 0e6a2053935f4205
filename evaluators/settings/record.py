"""A run's config.yaml as a file of flags, so that `--config RUN/config.yaml` makes the same run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluators.benchmarks.benchmark import Benchmark
from evaluators.benchmarks.data_config import DataConfig
from evaluators.settings.flags import BY_NAME, FLAGS
from evaluators.settings.identity import MOVED
from evaluators.settings.run_config import ExecutionConfig, ModelConfig, RunConfig
from srgen.config import Sampling, SRGenConfig
from srgen.errors import ConfigError
from srgen.methods.registry import SRGEN, methods, named

_SECTIONS = {
    ModelConfig: "model",
    DataConfig: "data",
    Sampling: "sampling",
    SRGenConfig: "srgen",
    ExecutionConfig: "execution",
}


def is_record(content: Mapping[str, Any]) -> bool:
    """Whether a YAML file is the config.yaml of a run."""
    run = content.get("run")
    return isinstance(run, Mapping) and isinstance(run.get("model"), Mapping) and isinstance(run.get("data"), Mapping)


def flags_of(content: Mapping[str, Any], path: Path, benchmark: Benchmark) -> dict[str, Any]:
    """The flags with which the run was made, but for its place. Raises ConfigError for a run of another benchmark."""
    run = dict(content["run"])
    if run["data"].get("benchmark") != benchmark.name:
        raise ConfigError(f"{path} is a run of {run['data'].get('benchmark')!r}, not of {benchmark.name}")
    if content.get("imported"):
        raise ConfigError(f"{path} is of an imported run, which another tool has made; there are no flags for it here")
    chosen = run.get("methods") or {}
    for name in chosen:
        if name not in methods():
            raise ConfigError(f"{path} is a run with the method {name!r}, which is not installed here")
    values = {name: value for name, value in _values(run) if value is not None}
    values["method"] = named([*([SRGEN] if run.get("srgen") else []), *chosen])
    values["system_prompt"] = run["data"].get("system_prompt") or ""
    values |= {"version": _version(run["data"], benchmark)}
    return {
        name: BY_NAME[name].parse(value, f"{name} in {path}") for name, value in values.items() if value is not None
    }


def _values(run: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Flags and what the record holds of them; a section that is off says nothing."""
    execution = run.get("execution") or {}
    model = {**{name: execution.get(name) for name in MOVED}, **run["model"]}
    for flag in FLAGS:
        if flag.owner is RunConfig:
            yield flag.name, run.get(flag.target)
        elif flag.owner is ModelConfig:
            yield flag.name, model.get(flag.target)
        elif flag.owner in _SECTIONS:
            yield flag.name, (run.get(_SECTIONS[flag.owner]) or {}).get(flag.target)
        elif flag.owner is not None:
            name = next(name for name, kind in methods().items() if kind is flag.owner)
            yield flag.name, ((run.get("methods") or {}).get(name) or {}).get(flag.target)


def _version(data: Mapping[str, Any], benchmark: Benchmark) -> str | None:
    """The version as it is asked for: without the split that it was named after, none for a user's own questions."""
    version = data.get("version")
    if version is None or version in benchmark.versions:
        return version
    asked = str(version).removesuffix(f"-{data.get('split')}")
    return asked if asked in benchmark.versions else None

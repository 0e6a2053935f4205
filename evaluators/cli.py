"""The command line of every benchmark: settings -> RunConfig and questions -> evaluate."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluators.benchmarks.benchmark import Benchmark
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.prompts import place_instruction
from evaluators.benchmarks.questions import load_questions, source_of
from evaluators.settings.flags import FLAGS
from evaluators.settings.run_config import ExecutionConfig, ModelConfig, RunConfig, run_directory
from evaluators.settings.sources import Settings, read_settings
from srgen.config import Sampling, SRGenConfig
from srgen.demo_model import resolve_model_path
from srgen.errors import ConfigError, SRGenError

log = logging.getLogger(__name__)
USAGE_ERROR = 2
INTERRUPTED = 130


def main(benchmark: Benchmark, arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark's command; the exit status. A user's mistake is one sentence on stderr and status 2."""
    logging.basicConfig(format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.addLevelName(logging.WARNING, "warning")
    try:
        return run(benchmark, sys.argv[1:] if arguments is None else arguments)
    except SRGenError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED


def run(benchmark: Benchmark, arguments: Sequence[str]) -> int:
    """Settle everything that can be wrong, then evaluate; the exit status."""
    settings = read_settings(benchmark, arguments)
    config = run_config(benchmark, settings)
    check_backend(config)
    warn(settings, config)
    questions = load_questions(benchmark, config.data, config.seed)
    asked, system_prompt = place_instruction(questions, config.data.system_prompt, config.data.prompt_role)
    directory = run_directory(Path(settings["output_dir"]).expanduser(), config, settings["run_name"])
    if settings["dry_run"]:
        print(directory)
        return 0
    # Imported here: everything above answers before the libraries of a run are loaded.
    from evaluators.running.run import evaluate

    entropies = settings["entropy_output_file"]
    return evaluate(
        config,
        asked,
        system_prompt,
        directory,
        resume=settings["resume"],
        entropy_output_file=Path(entropies).expanduser() if entropies else None,
    )


def run_config(benchmark: Benchmark, settings: Settings) -> RunConfig:
    """The run that the settings describe. Raises ConfigError for a value out of range or an unknown version.

    SRGen's values are checked even where SRGen is off, so that a mistake does not wait for the second run.
    """
    version = settings["version"]
    source_of(benchmark, version)
    if version is None and len(benchmark.versions) > 1:
        version = next(iter(benchmark.versions))
    prompt = settings["system_prompt"]
    data = _values(settings, DataConfig) | {
        "version": version,
        "system_prompt": benchmark.system_prompt if prompt is None else prompt,
    }
    srgen = SRGenConfig(**_values(settings, SRGenConfig))
    return RunConfig(
        model=ModelConfig(**_values(settings, ModelConfig)),
        data=DataConfig(benchmark=benchmark.name, **data),
        sampling=Sampling(**_values(settings, Sampling)),
        srgen=srgen if settings["use_entropy_control"] else None,
        execution=ExecutionConfig(**_values(settings, ExecutionConfig)),
        **_values(settings, RunConfig),
    )


def _values(settings: Settings, owner: type) -> dict[str, Any]:
    return {flag.name: settings[flag.name] for flag in FLAGS if flag.owner is owner}


def check_backend(config: RunConfig) -> None:
    """Raise ConfigError for flags of another backend, and for a model that is not there."""
    model = config.model
    for name in ("reencode_context", "budget_per_pass", "drop_last_reflection"):
        if getattr(model, name) and model.backend != "released":
            raise ConfigError(f"--{name} is an accident of the released code; it goes with --backend released")
    if (config.execution.base_url is not None) != (model.backend == "openai"):
        raise ConfigError("--backend openai and --base_url go together")
    if model.backend != "openai":
        check_model_path(model.model_path)


def check_model_path(model_path: str) -> None:
    """Raise ConfigError for a model folder that does not exist or holds no model; a hub id is left to the engine."""
    path = Path(resolve_model_path(model_path)).expanduser()
    if path.is_dir():
        if not (path / "config.json").exists():
            raise ConfigError(f"{model_path} holds no model: there is no config.json in it")
        return
    parts = model_path.split("/")
    is_hub_id = len(parts) <= 2 and all(parts) and parts[0] not in (".", "..", "~")
    if not is_hub_id or path.exists() or (len(parts) == 2 and Path(parts[0]).is_dir()):
        raise ConfigError(f"there is no model folder at {model_path}; give a folder, a hub id, or `demo`")


def warn(settings: Settings, config: RunConfig) -> None:
    """Say what the settings contain that has no effect, or one that is easily overlooked."""
    inherited = [name for name, origin in settings.origins.items() if origin == "environment"]
    if inherited:
        log.warning("taken from the environment: %s", ", ".join(f"{n}={settings[n]}" for n in sorted(inherited)))
    unused = [f.name for f in FLAGS if f.owner is SRGenConfig and settings.origins.get(f.name) == "flag"]
    if unused and "use_entropy_control" not in settings.origins:
        log.warning("--%s has no effect without --use_entropy_control", unused[0])
    if config.average > 1 and not config.sampling.do_sample:
        log.warning("all %d samples of a question are the same, since decoding is greedy", config.average)
    if settings["entropy_output_file"] and not config.record_entropy:
        log.warning("--entropy_output_file has no effect without --record_entropy")

"""The command line of every benchmark: settings -> RunConfig and questions -> evaluate."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evaluators.benchmarks.benchmark import Benchmark, Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.few_shot import read_examples
from evaluators.benchmarks.prompts import default_instruction, place_instruction
from evaluators.benchmarks.questions import read_questions, source_of
from evaluators.benchmarks.wordings import whole_rounds
from evaluators.records.provenance import deciding, unlike
from evaluators.records.reading import read_config
from evaluators.records.schema import CONFIG_FILE
from evaluators.running.devices import visible_gpus
from evaluators.running.plan import RunPlan
from evaluators.settings.flags import FLAGS
from evaluators.settings.idle import idle_flags
from evaluators.settings.run_config import (
    HOLDS_WEIGHTS,
    ExecutionConfig,
    ModelConfig,
    RunConfig,
    first_directory,
    run_directory,
)
from evaluators.settings.sources import Settings, method_names, read_settings
from evaluators.settings.weights import weights_of
from srgen import engines
from srgen.command_line import command, given
from srgen.config import Sampling, SRGenConfig
from srgen.demo_model import DEMO, resolve_model_path
from srgen.errors import ConfigError
from srgen.methods.registry import SRGEN, check_rewrites_nothing, methods
from srgen.thinking import steers

log = logging.getLogger(__name__)
METHOD_BACKENDS = ("transformers", "vllm")
"""Engines that run further methods; the others run SRGen only."""
SIGNAL_BACKENDS = ("transformers", "vllm", "openai")
QuestionReader = Callable[[Benchmark, DataConfig, int], tuple[list[Question], DataConfig]]
"""(benchmark, which questions, the run's seed) -> questions, and which they turned out to be."""


@command
def main(benchmark: Benchmark, arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark's command; the exit status. A user's mistake is one sentence on stderr and status 2."""
    return run(benchmark, given(arguments))


def run(benchmark: Benchmark, arguments: Sequence[str]) -> int:
    """Settle everything that can be wrong, then evaluate; the exit status."""
    settings = read_settings(benchmark, arguments)
    plan = planned(benchmark, settings)
    base = base_of(plan, settings)
    if settings["dry_run"]:
        from evaluators.running.dry_run import examine

        runs = [run for run in (base, plan) if run]
        # Scripts take the folders from stdout, and nothing else.
        print("\n".join(line for run in runs for line in examine(run)), file=sys.stderr)
        print("\n".join(str(run.directory) for run in runs))
        return 0
    # Imported here: everything above answers before the libraries of a run are loaded.
    from evaluators.running.run import evaluate, evaluate_until_settled

    if base:
        return evaluate_until_settled(base, plan, smallest_effect=settings["smallest_effect"])
    entropies = settings["entropy_output_file"]
    return evaluate(plan, entropy_output_file=Path(entropies).expanduser() if entropies else None)


def planned(benchmark: Benchmark, settings: Settings, *, name: str = "", read: QuestionReader | None = None) -> RunPlan:
    """The run that the settings describe, with its questions and its folder; `name` as in `RunPlan`.

    Raises ConfigError for all that can be known to be wrong before a model is loaded.
    """
    config = run_config(benchmark, settings)
    check_backend(config)
    warn(settings, config)
    questions, data = (read or read_questions)(benchmark, config.data, config.seed)
    average = whole_rounds(config.average, questions)
    config = dataclasses.replace(config, data=data, model=with_weights(config.model), average=average)
    if average > max(question.wordings for question in questions) and not config.sampling.do_sample:
        log.warning("all %d samples of a question are the same, since decoding is greedy", average)
    asked, system_prompt = place_instruction(questions, config.data.system_prompt, config.data.prompt_role)
    return RunPlan(
        config=config,
        questions=asked,
        system_prompt=system_prompt,
        directory=directory_of(Path(settings["output_dir"]).expanduser(), config, asked, settings["run_name"]),
        name=name,
        resume=settings["resume"],
    )


def base_of(plan: RunPlan, settings: Settings) -> RunPlan | None:
    """The base run that a campaign samples beside the run (`--until_settled`); None where there is no campaign.

    Raises ConfigError where there can be none.
    """
    effect = settings["smallest_effect"]
    if not settings["until_settled"]:
        if effect is not None:
            raise ConfigError("--smallest_effect goes with --until_settled")
        return None
    if effect is not None and not 0 < effect <= 100:
        raise ConfigError(f"--smallest_effect is in points, above 0 and up to 100, not {effect:g}")
    config = dataclasses.replace(plan.config, srgen=None, methods=())
    if config.method == plan.config.method:
        raise ConfigError("--until_settled compares a method with the base run: give one, such as --method srgen")
    if config.average == 1:
        raise ConfigError("--until_settled stops between rounds: give the most of them, such as --average 64")
    if settings["entropy_output_file"]:
        raise ConfigError("--until_settled makes two runs: each keeps its entropies in its folder, not in one file")
    name = settings["run_name"] and f"{settings['run_name']}-base"
    directory = directory_of(Path(settings["output_dir"]).expanduser(), config, plan.questions, name)
    return dataclasses.replace(plan, config=config, directory=directory, name="base")


def run_config(benchmark: Benchmark, settings: Settings) -> RunConfig:
    """The run that the settings describe. Raises ConfigError for a value out of range or an unknown version.

    The methods' values are checked even where a method is off, so that a mistake does not wait for the second run.
    """
    version = settings["version"]
    source_of(benchmark, version)
    if version is None and len(benchmark.versions) > 1:
        version = next(iter(benchmark.versions))
    prompt = settings["system_prompt"]
    data = _values(settings, DataConfig) | {
        "version": version,
        "prefix": settings["prefix"].replace("\\n", "\n"),
        "system_prompt": default_instruction(benchmark, settings["answer_format"]) if prompt is None else prompt,
    }
    if (data["few_shot"] is not None) != (data["prompt_style"] == "fewshot"):
        raise ConfigError("--prompt_style fewshot and --few_shot FILE go together")
    if data["few_shot"] is not None:
        data["examples"] = read_examples(Path(data["few_shot"]))
    srgen = SRGenConfig(**_values(settings, SRGenConfig))
    others = {name: kind(**_values(settings, kind)) for name, kind in methods().items()}
    names = method_names(settings)
    return RunConfig(
        model=model_config(settings),
        data=DataConfig(benchmark=benchmark.name, **data),
        sampling=Sampling(**_values(settings, Sampling)),
        srgen=srgen if SRGEN in names else None,
        methods=tuple(others[name] for name in names if name != SRGEN),
        execution=ExecutionConfig(**_values(settings, ExecutionConfig)),
        **_values(settings, RunConfig),
    )


def with_weights(model: ModelConfig) -> ModelConfig:
    """The model with what lies in its folder, where it is a folder of the user's."""
    path = Path(model.model_path).expanduser()
    if model.backend == "openai" or model.model_path == DEMO or not path.is_dir():
        return model
    return dataclasses.replace(model, weights=weights_of(path))


def directory_of(output_dir: Path, config: RunConfig, questions: Sequence[Question], run_name: str | None) -> Path:
    """The run's folder: the one that it has from the first version, whose names were others, or its own."""
    directory = run_directory(output_dir, config, run_name)
    first = first_directory(output_dir, config)
    if run_name is None and first != directory and (first / CONFIG_FILE).is_file() and not directory.exists():
        from evaluators.grading import GRADING_VERSION  # slow to import

        if not unlike(read_config(first), deciding(config, questions, GRADING_VERSION)):
            return first
    return directory


def model_config(settings: Settings) -> ModelConfig:
    """The model's settings, with the endpoint in one spelling."""
    values = _values(settings, ModelConfig)
    if values["base_url"] is not None:
        url = urlsplit(values["base_url"].rstrip("/"))
        values["base_url"] = url._replace(scheme=url.scheme.lower(), netloc=url.netloc.lower()).geturl()
    return ModelConfig(**values)


def _values(settings: Settings, owner: type) -> dict[str, Any]:
    return {flag.target: settings[flag.name] for flag in FLAGS if flag.owner is owner}


def check_backend(config: RunConfig) -> None:
    """Raise ConfigError for an unknown backend, flags of another one, and for a model that is not there."""
    model = config.model
    engines.check_backend(model.backend)
    for name in ("reencode_context", "budget_per_pass", "drop_last_reflection"):
        if getattr(model, name) and model.backend != "released":
            raise ConfigError(f"--{name} is an accident of the released code; it goes with --backend released")
    if (model.base_url is not None) != (model.backend == "openai"):
        raise ConfigError("--backend openai and --base_url go together")
    check_methods(config)
    if config.data.prefix and model.backend == "openai":
        raise ConfigError("--prefix needs an engine of our own: an endpoint takes no beginning of an answer")
    if model.chat_template_kwargs is not None and config.data.prompt_style != "chat":
        raise ConfigError("--chat_template_kwargs go with --prompt_style chat: the other styles use no template")
    if config.execution.tensor_parallel > 1 and model.backend != "vllm":
        raise ConfigError("--tensor_parallel goes with --backend vllm; --device_map auto spreads a transformers model")
    if config.execution.park_steps and model.backend != "transformers":
        raise ConfigError("--park_steps goes with --backend transformers")
    if model.backend in HOLDS_WEIGHTS:
        check_model_path(model.model_path)


def check_methods(config: RunConfig) -> None:
    """Raise ConfigError for a way to generate that the backend does not have."""
    backend, sampling = config.model.backend, config.sampling
    for method in config.methods:
        if backend not in METHOD_BACKENDS:
            raise ConfigError(f"{method.name} runs with --backend {' or '.join(METHOD_BACKENDS)}, not {backend}")
        if backend != "transformers":
            check_rewrites_nothing(method)
    if steers(sampling) and backend not in METHOD_BACKENDS:
        raise ConfigError(f"--thinking_budget and --ignore_end go with --backend {' or '.join(METHOD_BACKENDS)}")
    if sampling.top_h and backend in ("vllm", "openai"):
        raise ConfigError(f"--top_h goes with --backend transformers: {backend} has no such sampling")
    if config.execution.record_signals and backend not in SIGNAL_BACKENDS:
        raise ConfigError(f"--record_signals goes with --backend {', '.join(SIGNAL_BACKENDS)}; {backend} gives none")


def check_model_path(model_path: str) -> None:
    """Raise ConfigError for a model folder that does not exist or holds no model; a hub id is left to the engine."""
    path = Path(resolve_model_path(model_path)).expanduser()
    if path.is_dir():
        if not any((path / name).exists() for name in ("config.json", "adapter_config.json")):
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
    used = (*([SRGenConfig] if config.srgen else []), *map(type, config.methods))
    for name, owner in {SRGEN: SRGenConfig, **methods()}.items():
        given = [f.name for f in FLAGS if f.owner is owner and settings.origins.get(f.name) == "flag"]
        # Told once the method is off by default, not where the same command line switches it off on purpose.
        if given and owner not in used and not settings.origins.keys() & {"method", "use_entropy_control"}:
            log.warning("--%s has no effect without --method %s", given[0], name)
    for message in idle_flags(config, settings.origins):
        log.warning(message)
    if settings.origins.get("workers") == "flag" and config.execution.device != "cpu" and visible_gpus():
        log.warning("--workers has no effect where there are GPUs: --parallel uses one worker for each")
    if config.execution.record_signals and config.model.backend == "openai":
        log.warning("endpoints tell the likeliest tokens only: self_certainty and borda will choose nothing")
    if settings["entropy_output_file"] and not config.record_entropy:
        log.warning("--entropy_output_file has no effect without --record_entropy")

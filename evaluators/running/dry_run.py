"""`--dry_run`: everything that a run checks before its model is loaded, and what it would do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from evaluators.benchmarks.dataset_rows import hub_reachable
from evaluators.presentation.run_table import number
from evaluators.records.reading import TIMING_FILE, read_lines
from evaluators.records.schema import SAMPLES_FILE
from evaluators.running.devices import plan_workers, usable_cores, visible_gpus
from evaluators.running.folder import check_belongs
from evaluators.running.launch import engine_choice
from evaluators.running.plan import RunPlan
from evaluators.running.tasks import Tasks
from evaluators.settings.run_config import HOLDS_WEIGHTS
from srgen.discovery import load
from srgen.engines import engines
from srgen.engines.base import Message, Request
from srgen.errors import ConfigError


def examine(plan: RunPlan) -> list[str]:
    """Lines that say what the run would do.

    Raises ConfigError for what would stop it: a folder of another run or that cannot be made, devices that are not
    there, a model that does not load, an endpoint that does not answer, prompts that the model cannot take.
    """
    check_belongs(plan)
    tasks = Tasks(plan)
    owed = tasks.owed(_done(plan.directory))
    everything = len(plan.questions) * plan.config.average
    first_of_each = tasks.owed(set())[: len(plan.questions)]
    requests = [tasks.request(task) for task in first_of_each]
    return [
        f"{plan.config.method} on {len(plan.questions)} questions, K = {plan.config.average}: {everything} samples, of "
        f"which {everything - len(owed)} are there",
        *_places(plan),
        *_model(plan, requests),
        f"at most {len(owed) * plan.config.sampling.max_new_tokens:,} tokens to generate; {_time(plan, len(owed))}",
    ]


def _done(directory: Path) -> set[tuple[str, int]]:
    return {(row["question_id"], row["sample"]) for row in read_lines(directory / SAMPLES_FILE)}


def _places(plan: RunPlan) -> Iterator[str]:
    config = plan.config
    if config.model.backend == "openai":
        return
    if config.execution.launcher == "ray":
        yield "workers: on the Ray cluster, which is not asked here"
        return
    places = plan_workers(config, visible_gpus(), usable_cores())
    yield f"workers: {', '.join(place.name for place in places)}, {config.execution.batch_size} samples at a time each"


def _model(plan: RunPlan, requests: list[Request]) -> Iterator[str]:
    """What the model says, with its first prompt."""
    backend = plan.config.model.backend
    if backend == "openai":
        yield from _endpoint(plan)
    elif backend in HOLDS_WEIGHTS:
        yield from _folder(plan, requests)
        return
    else:
        load(engines()[backend])
    yield "the first prompt, before the model's own template:"
    yield from _indented(_spoken(requests[0]))


def _endpoint(plan: RunPlan) -> Iterator[str]:
    """Ask the endpoint for its models; the key is tried with it."""
    place = plan_workers(plan.config, (), 1)[0]
    engine = engine_choice(plan.config)(place)()
    models = list(getattr(engine, "models", ()))
    engine.close()
    model = plan.config.model.model_path
    yield f"{plan.config.model.base_url} answers and lists {', '.join(models[:5]) or 'no models'}"
    if models and model not in models:
        yield f"warning: {model} is not among the {len(models)} models that it lists"


def _folder(plan: RunPlan, requests: list[Request]) -> Iterator[str]:
    from srgen.engines.preview import is_adapter, preview  # transformers takes seconds to import

    model, sampling = plan.config.model, plan.config.sampling
    if model.backend == "vllm":
        from srgen.engines.vllm.version import require_vllm

        require_vllm()
    local = Path(model.model_path).expanduser().is_dir() or model.model_path == "demo"
    seen = preview(model.model_path, hub=(not local or is_adapter(model.model_path)) and hub_reachable())
    prompts = seen.prompts(requests)
    longest = max(map(len, prompts))
    limit = min(model.max_model_len or seen.positions or 0, seen.positions or model.max_model_len or 0)
    yield f"the model loads as {seen.architecture}" + (f", for texts of {limit:,} tokens" if limit else "")
    if limit and longest >= limit:
        raise ConfigError(f"the longest prompt has {longest:,} tokens, and the model takes {limit:,}, answer included")
    if limit and longest + sampling.max_new_tokens > limit:
        yield (
            f"warning: the longest prompt ({longest:,} tokens) and --max_new_tokens {sampling.max_new_tokens} are more "
            f"than the model's {limit:,}; samples that come to that end there, cut off"
        )
    else:
        yield f"the longest prompt has {longest:,} tokens, and {sampling.max_new_tokens:,} may follow"
    yield "the first prompt, as the model will see it:"
    yield from _indented(seen.text(prompts[0]))


def _spoken(request: Request) -> str:
    if isinstance(request.prompt, str):
        return request.prompt + request.prefix
    return "\n".join(f"{turn.role}: {turn.content}" for turn in request.prompt if isinstance(turn, Message))


def _indented(text: str) -> Iterator[str]:
    yield from (f"  | {line}" for line in text.split("\n"))


def _time(plan: RunPlan, owed: int) -> str:
    """How long the rest takes, by what the same model has taken before: this run, its neighbours, other benchmarks."""
    here = plan.directory
    for places in ([here], here.parent.glob("*"), here.parent.parent.parent.glob(f"*/{here.parent.name}/*")):
        paces = {place: pace for place in sorted(places) if (pace := _seconds_a_sample(place))}
        if paces:
            nearest = max(paces, key=lambda place: (place / TIMING_FILE).stat().st_mtime)
            return f"about {_duration(owed * paces[nearest])} at the pace of {nearest}"
    return "how long that takes is not known before a run of this model has begun"


def _seconds_a_sample(run: Path) -> float:
    """Wall seconds per sample of a run; 0 where it has none or does not say."""
    try:
        with (run / SAMPLES_FILE).open("rb") as file:
            samples = sum(1 for _ in file)
        return float(json.loads((run / TIMING_FILE).read_text("utf-8"))["wall_seconds"]) / samples if samples else 0.0
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{number(seconds, 0)} seconds"
    return f"{number(seconds / 60, 0)} minutes" if seconds < 7200 else f"{number(seconds / 3600)} hours"

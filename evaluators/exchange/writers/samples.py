"""What every writer goes through: a run's samples with their questions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from evaluators.benchmarks.benchmark import Question, Source
from evaluators.benchmarks.own_questions import source_of
from evaluators.benchmarks.registry import benchmark_named, benchmarks
from evaluators.records.provenance import SURROUNDINGS
from evaluators.records.reading import Run
from evaluators.records.schema import CONFIG_FILE, Sample


def asked(run: Run) -> Iterator[tuple[Question, list[Sample]]]:
    """Every question with the samples that the run holds of it, in the order of their index."""
    for question in run.questions:
        keys = ((question.id, index) for index in range(run.samples_per_question))
        yield question, [run.samples[key] for key in keys if key in run.samples]


def model_path(run: Run) -> str:
    """The model as the run was told it."""
    return str(run.config["run"]["model"]["model_path"])


def hub_source(run: Run) -> Source | None:
    """Where the questions are on the hub; None for a user's own."""
    data = run.config["run"]["data"]
    if data["benchmark"] not in benchmarks():
        return None
    benchmark = benchmark_named(data["benchmark"])
    own = data.get("version") is not None and data["version"] not in benchmark.versions
    return None if own else source_of(benchmark, data.get("version"))


def versions(run: Run) -> dict[str, str]:
    """Versions of the libraries that made the run; empty where it does not say."""
    return dict(run.config.get("versions") or {})


def graded_with(run: Run) -> dict[str, str]:
    """Versions of the libraries that graded it: of an imported run they are not those that made it."""
    return dict((run.config.get("imported") or run.config).get("versions") or {})


def kept_settings(run: Run) -> dict[str, Any]:
    """What an import of the exported run puts back: the configuration and the wall seconds."""
    told = {name: run.config[name] for name in ("run", *SURROUNDINGS) if name in run.config}
    return told | ({} if math.isnan(run.wall_seconds) else {"wall_seconds": run.wall_seconds})


def written_at(run: Run) -> datetime:
    """When the run's configuration was last written."""
    return datetime.fromtimestamp((run.directory / CONFIG_FILE).stat().st_mtime, UTC)

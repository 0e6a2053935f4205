"""An imported run's config.yaml: what the source says of its generations, and nothing that it does not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluators.benchmarks.data_config import DataConfig
from evaluators.exchange.generation import Source
from evaluators.exchange.imported_run import ImportedRun
from evaluators.grading import GRADING_VERSION
from evaluators.records.provenance import SURROUNDINGS, git_commit, questions_hash, versions

_ASKED = ("benchmark", "version", "dataset_path", "questions", "split", "eval_samples")
"""Of `data`: which questions. The importer knows that; how they were put to the model, only the source can tell."""
_OF_THE_SOURCE = ("sampling", "srgen", "methods", "seed", "record_entropy", "execution")


def record_of(
    source: Source, run: ImportedRun, *, path: Path, data: DataConfig, model: str, method: str
) -> dict[str, Any]:
    """The content of config.yaml: as of any run, without what is not known, and `imported`.

    `imported` says where the samples come from, and what graded them here.
    """
    told: Mapping[str, Any] = source.settings.get("run") or {}
    asked = {name: getattr(data, name) for name in _ASKED}
    settings = {
        "average": run.samples_per_question(),
        "sampling": {},
        "srgen": None,
        "seed": 0,
        **{name: told[name] for name in _OF_THE_SOURCE if name in told},
        "data": {**(told.get("data") or {}), **asked, "answer_format": run.answer_format},
        "model": {**(told.get("model") or {}), "model_path": model},
    }
    return {
        "run": settings,
        "questions_hash": questions_hash(run.kept()),
        "grading_version": str(GRADING_VERSION),
        **{name: source.settings[name] for name in SURROUNDINGS if name in source.settings},
        "imported": {
            "source": str(path),
            "format": source.format,
            "method": method,
            "without_token_counts": run.tally.without_tokens,
            "without_finish_reason": run.tally.without_reason,
            "versions": versions(),
            "git_commit": git_commit(),
        },
    }

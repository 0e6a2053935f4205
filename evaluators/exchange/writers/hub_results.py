"""The hub's .eval_results/<benchmark>.yaml for a model's page (huggingface.co/docs/hub/eval-results)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from evaluators.analysis.summary_rows import Summary
from evaluators.exchange.writers.samples import hub_source, written_at
from evaluators.records.reading import Run
from srgen.errors import ConfigError


def write(run: Run, summary: Summary, folder: Path) -> list[Path]:
    """Write the file into a model's folder. Raises ConfigError for questions that are not on the hub."""
    source = hub_source(run)
    if source is None:
        raise ConfigError(f"{run.benchmark} is no dataset on the hub, so a model's page cannot show it")
    if summary.questions != source.questions:
        raise ConfigError(
            f"the run asked {summary.questions} of the {source.questions} questions of {source.repository}; "
            "a model's page wants all of them"
        )
    dataset: dict[str, Any] = {"id": source.repository, "task_id": source.config or "default"}
    if source.revision:
        dataset["revision"] = source.revision
    entry = {
        "dataset": dataset,
        "value": round(summary.avg, 2),
        "date": written_at(run).date().isoformat(),
        "notes": _notes(run, summary),
    }
    path = folder / ".eval_results" / f"{run.benchmark}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump([entry], sort_keys=False, allow_unicode=True), "utf-8")
    return [path]


def _notes(run: Run, summary: Summary) -> str:
    interval = (
        "" if summary.avg_low != summary.avg_low else f", 95 % interval [{summary.avg_low:.1f}, {summary.avg_high:.1f}]"
    )
    return f"Avg@{summary.k}, {run.method}{interval}, graded by srgen (version {summary.grading_version})"

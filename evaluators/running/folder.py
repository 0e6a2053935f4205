"""A run's directory: made for a run, or checked to be that run's."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import yaml

from evaluators.grading import GRADING_VERSION
from evaluators.records.provenance import provenance, question_row, unlike
from evaluators.records.reading import read_config, write_atomically
from evaluators.records.schema import CAMPAIGN_FILE, CONFIG_FILE, QUESTIONS_JSONL, SAMPLES_FILE, SUMMARY_CSV
from evaluators.records.stopped import stopped
from evaluators.running.devices import visible_gpus, with_number_format
from evaluators.running.hub_revision import with_revision
from evaluators.running.plan import RunPlan
from srgen.errors import ConfigError

FULL = {errno.ENOSPC, errno.EDQUOT}


def check_places(directory: Path, entropies: Path | None) -> None:
    """Make the run's folder, and try the file for the entropies. Raises ConfigError where one cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise ConfigError(f"{directory} cannot be made ({error.strerror}); give another --output_dir") from error
    if entropies is None:
        return
    try:
        entropies.parent.mkdir(parents=True, exist_ok=True)
        is_new = not entropies.exists()
        entropies.open("a").close()
        if is_new:
            entropies.unlink()
    except OSError as error:
        raise ConfigError(
            f"{entropies} cannot be written ({error.strerror}); give another --entropy_output_file"
        ) from error


def check_belongs(plan: RunPlan) -> None:
    """As `check_places` and `prepare`, but nothing is made. Raises ConfigError."""
    place = next(path for path in (plan.directory, *plan.directory.absolute().parents) if path.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise ConfigError(f"{place} is no folder that can be written; give another --output_dir")
    if _has_samples(plan.directory):
        _check(plan, _record(plan))


def prepare(plan: RunPlan) -> None:
    """Check that the directory is this run's, or make it so. Raises ConfigError where it is another's."""
    directory = plan.directory
    record = _record(plan)
    if _has_samples(directory):
        _check(plan, record)
        return
    rows = (json.dumps(question_row(question), ensure_ascii=False) + "\n" for question in plan.questions)
    write_atomically(directory / QUESTIONS_JSONL, "".join(rows))
    write_atomically(directory / CONFIG_FILE, yaml.safe_dump(record, sort_keys=False, allow_unicode=True))


def _record(plan: RunPlan) -> dict[str, Any]:
    return provenance(with_revision(with_number_format(plan.config, visible_gpus())), plan.questions, GRADING_VERSION)


def _has_samples(directory: Path) -> bool:
    samples = directory / SAMPLES_FILE
    return samples.is_file() and samples.stat().st_size > 0


def forget_stop(plan: RunPlan) -> None:
    """A run that a campaign stopped before its K goes on by itself: its K is the planned one again."""
    mark = stopped(plan.directory)
    if mark is not None and mark.rounds != plan.config.average:
        (plan.directory / SUMMARY_CSV).unlink(missing_ok=True)  # first: it is of the rounds that the mark tells
        (plan.directory / CAMPAIGN_FILE).unlink()


def _check(plan: RunPlan, record: dict[str, Any]) -> None:
    directory = plan.directory
    if not plan.resume:
        raise ConfigError(f"{directory} holds samples already; choose another --run_name, or delete it")
    if not (directory / CONFIG_FILE).is_file():
        raise ConfigError(f"{directory} holds samples but no {CONFIG_FILE}; choose another --run_name, or delete it")
    if found := unlike(read_config(directory), record):
        raise ConfigError(
            f"{directory} was begun with another configuration: {'; '.join(found)}; "
            "choose another --run_name, or delete it"
        )

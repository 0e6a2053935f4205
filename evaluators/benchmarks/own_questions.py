"""Whether questions are a benchmark's own, and what the run is called where they are not."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from evaluators.benchmarks.benchmark import Benchmark, Question, Source
from evaluators.benchmarks.data_config import DataConfig
from srgen.errors import ConfigError

log = logging.getLogger(__name__)


def content_of(questions: Sequence[Question]) -> str:
    """SHA-256 of problems and answers: equal for every public copy, whatever its order, identifiers and spacing."""
    asked = (question.as_asked(wording) for question in questions for wording in range(question.wordings))
    rows = sorted(" ".join(q.prompt.split()) + "\x1f" + "".join(q.gold.split()) for q in asked)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def answers_of(questions: Sequence[Question]) -> str:
    """SHA-256 of the answers alone: equal for every public copy of a set with whole answers, however it words them."""
    return hashlib.sha256("\n".join(sorted(q.gold.strip() for q in questions)).encode()).hexdigest()


def source_of(benchmark: Benchmark, version: str | None) -> Source | None:
    """Where that version (None is the default one) lives on the hub; None for an embedded benchmark.

    Raises ConfigError for an unknown version.
    """
    if not benchmark.versions:
        if version is not None:
            raise ConfigError(f"{benchmark.name} has no versions; leave --version out")
        return None
    if version is None:
        return next(iter(benchmark.versions.values()))
    if version not in benchmark.versions:
        raise ConfigError(f"unknown version {version!r} of {benchmark.name}; known: {', '.join(benchmark.versions)}")
    return benchmark.versions[version]


def asked_source(benchmark: Benchmark, data: DataConfig) -> Source | None:
    """`source_of` the version asked for; None too where it is the name of a user's file, as config.yaml has it."""
    if data.dataset_path is not None and data.version == file_name(benchmark, data.dataset_path):
        return None
    return source_of(benchmark, data.version)


def settled(benchmark: Benchmark, data: DataConfig, questions: Sequence[Question]) -> DataConfig:
    """The data settings as they turn out, where these are all the questions, before a subset is drawn.

    Questions that are not the benchmark's own give the run the name of their file or split in place of a version. A
    split that changes nothing is left out.
    """
    return (
        _settled_hub(benchmark, data, questions)
        if data.dataset_path is None
        else _settled_file(benchmark, data, questions)
    )


def file_name(benchmark: Benchmark, dataset_path: str) -> str:
    """What a run on a user's own file or folder is called, beside the benchmark's name."""
    path = Path(dataset_path).expanduser().resolve()
    name = re.sub(r"[^\w.-]+", "_", path.name if path.is_dir() else path.stem).strip("._") or "custom"
    return f"custom-{name}" if name in benchmark.versions else name


def _settled_hub(benchmark: Benchmark, data: DataConfig, questions: Sequence[Question]) -> DataConfig:
    source = source_of(benchmark, data.version)
    if source is None:
        if data.split is not None:
            log.warning("--split has no effect on the embedded questions of %s", benchmark.name)
        return dataclasses.replace(data, split=None)
    if data.split not in (None, source.split):
        return dataclasses.replace(data, version="-".join(filter(None, (data.version, data.split))))
    if len(questions) != source.questions:
        log.warning("%s holds %d questions, not the expected %d", source.repository, len(questions), source.questions)
    return dataclasses.replace(data, split=None)


def _settled_file(benchmark: Benchmark, data: DataConfig, questions: Sequence[Question]) -> DataConfig:
    path = str(data.dataset_path)
    if data.split is not None and not Path(path).expanduser().is_dir():
        log.warning("--split has no effect on a single file")
        data = dataclasses.replace(data, split=None)
    content = content_of(questions)
    version = _version_of(benchmark, data, questions, content)
    asked = data.version or (next(iter(benchmark.versions)) if len(benchmark.versions) > 1 else None)
    if version != asked and (benchmark.versions or benchmark.embedded):
        log.warning(
            "the questions in %s are not those of %s: the run is called %s",
            path,
            " ".join(filter(None, (benchmark.name, asked))),
            f"{benchmark.name}-{version}" if version else benchmark.name,
        )
    return dataclasses.replace(data, version=version, questions=content)


def _version_of(benchmark: Benchmark, data: DataConfig, questions: Sequence[Question], content: str) -> str | None:
    """The version that has this content or these answers, else the file's name.

    Where neither is known of the version asked for, the number of questions decides.
    """
    known = {source.content: name for name, source in benchmark.versions.items()} | {benchmark.content: None}
    if content in known:
        return known[content] if len(benchmark.versions) > 1 else None
    answers = answers_of(questions)
    for name, source in benchmark.versions.items():
        if source.answers == answers:
            return name
    asked = asked_source(benchmark, data)
    if asked is not None and asked.content is asked.answers is None and asked.questions == len(questions):
        log.warning(
            "the %d questions in %s are taken for those of %s: their number is all that is known to compare",
            len(questions),
            data.dataset_path,
            " ".join(filter(None, (benchmark.name, data.version))),
        )
        return data.version
    return file_name(benchmark, str(data.dataset_path))

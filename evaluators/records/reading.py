"""Reading a run's directory: its configuration, questions, samples and recordings."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evaluators.benchmarks.benchmark import AnswerFormat, Question
from evaluators.records.schema import (
    CONFIG_FILE,
    ENTROPIES_FILE,
    QUESTIONS_JSONL,
    REFLECTIONS_FILE,
    SAMPLES_FILE,
    Sample,
)
from evaluators.records.stopped import Stopped, stopped
from srgen.errors import SRGenError
from srgen.methods.registry import SRGEN, named

TIMING_FILE = "timing.json"

SampleKey = tuple[str, int]
"""(question id, sample index)."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What `--record_entropy` kept of one sample."""

    tokens: tuple[str, ...]
    entropies: tuple[float | None, ...]
    """Entropy in nats of every token; None where it was not monitored."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its directory holds it."""

    directory: Path
    config: Mapping[str, Any]
    """config.yaml: `run`, `questions_hash`, `grading_version`, ..."""
    questions: tuple[Question, ...]
    samples: Mapping[SampleKey, Sample]
    """Those that the journal holds; any other is missing."""
    wall_seconds: float
    """NaN where the run never wrote it."""
    stopped: Stopped | None = None
    """What a campaign says of it."""

    @property
    def journal_hash(self) -> str:
        """Of the bytes of samples.jsonl."""
        return journal_hash(self.directory)

    @property
    def samples_per_question(self) -> int:
        """K: the planned one, or the rounds that were sampled of a run that a campaign stopped."""
        planned = int(self.config["run"]["average"])
        return (self.stopped.rounds or planned) if self.stopped else planned

    @property
    def counted(self) -> list[Sample]:
        """The samples up to K; a campaign that stopped leaves a few later ones."""
        return [sample for sample in self.samples.values() if sample.sample < self.samples_per_question]

    @property
    def benchmark(self) -> str:
        """Name and version of the benchmark."""
        data = self.config["run"]["data"]
        return str(data["benchmark"]) + (f"-{data['version']}" if data.get("version") else "")

    @property
    def answer_format(self) -> AnswerFormat:
        """Where its answers are looked for."""
        return "tags" if self.config["run"]["data"].get("answer_format") == "tags" else "free"

    @property
    def model(self) -> str:
        """The model's short name."""
        return str(self.config["run"]["model"]["model_path"]).rstrip("/").split("/")[-1]

    @property
    def method(self) -> str:
        """The method's name: `base`, `srgen`, `slot`, `srgen+slot`, ...; an imported run has the name it was given."""
        if imported := self.config.get("imported"):
            return str(imported["method"])
        run = self.config["run"]
        return named([*([SRGEN] if run.get("srgen") else []), *(run.get("methods") or {})])


def read_run(directory: Path) -> Run:
    """Read a run's directory. Raises SRGenError where it is none, or a file in it is damaged."""
    if not (directory / CONFIG_FILE).is_file():
        raise SRGenError(f"{directory} is not a run's directory: it has no {CONFIG_FILE}")
    config = read_config(directory)
    questions = tuple(Question(**row) for row in read_lines(directory / QUESTIONS_JSONL))
    if not questions:
        raise SRGenError(f"{directory} has no questions: {QUESTIONS_JSONL} is missing or empty")
    timing = directory / TIMING_FILE
    seconds = json.loads(timing.read_text("utf-8"))["wall_seconds"] if timing.is_file() else float("nan")
    samples = _samples(directory, config, questions)
    return Run(directory, config, questions, samples, float(seconds), stopped(directory))


def journal_hash(directory: Path) -> str:
    """Sixteen hexadecimal digits of a run's samples.jsonl; empty where it has none."""
    path = directory / SAMPLES_FILE
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def read_config(directory: Path) -> dict[str, Any]:
    """config.yaml of a run. Raises SRGenError when it is damaged."""
    path = directory / CONFIG_FILE
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
        run = dict(config["run"])
        for section in ("model", "data"):
            dict(run[section])
        if not isinstance(run["average"], int) or isinstance(run["average"], bool) or run["average"] < 1:
            raise TypeError(f"average must be a number of samples, not {run['average']!r}")
        return {"questions_hash": "", "grading_version": "", **config, "run": run}
    except KeyError as error:
        raise SRGenError(f"{path} is damaged: it has no {error}") from None
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise SRGenError(f"{path} is damaged: {str(error).splitlines()[0]}") from None


def _samples(directory: Path, config: Mapping[str, Any], questions: tuple[Question, ...]) -> dict[SampleKey, Sample]:
    planned = {(question.id, index) for question in questions for index in range(int(config["run"]["average"]))}
    path = directory / SAMPLES_FILE
    try:
        samples = (Sample.from_json(row) for row in read_lines(path))
        return {key: sample for sample in samples if (key := (sample.question_id, sample.sample)) in planned}
    except TypeError as error:
        raise SRGenError(f"{path} is not a journal of this version: {error}") from None


def read_reflections(directory: Path) -> list[dict[str, Any]]:
    """Rows of reflections.jsonl; empty where nothing was recorded."""
    return list(read_lines(directory / REFLECTIONS_FILE))


def read_recordings(directory: Path) -> dict[SampleKey, Recording]:
    """Tokens and entropies by sample; empty where nothing was recorded."""
    return {
        (row["question_id"], row["sample"]): Recording(tuple(row["tokens"]), tuple(row["entropies"]))
        for row in read_lines(directory / ENTROPIES_FILE)
    }


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """JSON objects of a file, one a line; a torn last line is work still owed and skipped, a missing file is empty.

    Raises SRGenError naming the line that is damaged elsewhere.
    """
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode())
            except ValueError as error:  # not JSON, or not UTF-8
                raise SRGenError(f"{path}, line {number}, is damaged: {error}") from None
            if not isinstance(row, dict):
                raise SRGenError(f"{path}, line {number}, is damaged: it is not an object")
            yield row


def write_atomically(path: Path, text: str) -> None:
    """Replace a file as a whole, so that a reader never sees half of it.

    Half a surrogate pair, which a model may write, becomes its escape, as in the journal.
    """
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    partial.replace(path)


def sample_lines(samples: Mapping[SampleKey, Sample]) -> str:
    """The journal's text."""
    return "".join(json.dumps(sample.to_json(), ensure_ascii=False) + "\n" for sample in samples.values())


def unused(path: Path) -> Path:
    """The path, or where something is there already, the first free one of `path-2`, `path-3`, ..."""
    names = (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))
    return path if not path.exists() else next(name for name in names if not name.exists())

"""The questions of a run: rows read, parsed, checked, and cut to the subset asked for."""

from __future__ import annotations

import dataclasses
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from evaluators.benchmarks.benchmark import AnswerKind, Benchmark, Question, Row
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.dataset_rows import file_rows, folder_rows, hub_rows
from evaluators.benchmarks.fields import fields_of
from evaluators.benchmarks.own_questions import asked_source, settled, source_of
from srgen.errors import ConfigError

log = logging.getLogger(__name__)
EMBEDDED = Path(__file__).parent / "data"
__all__ = ["load_questions", "load_rows", "parse_rows", "read_questions", "source_of", "subset"]


def load_questions(benchmark: Benchmark, data: DataConfig, seed: int) -> list[Question]:
    """The questions that the data settings name, in the dataset's order.

    `seed` draws the subset of `eval_samples` questions and the order of options. Raises ConfigError when the questions
    cannot be had; an unexpected number of them is a warning.
    """
    return read_questions(benchmark, data, seed)[0]


def read_questions(benchmark: Benchmark, data: DataConfig, seed: int) -> tuple[list[Question], DataConfig]:
    """The same, with the data settings as they turn out: the version that the questions are, and no idle split."""
    rows, where = load_rows(benchmark, data)
    questions = parse_rows(benchmark, rows, seed, where)
    return subset(questions, data.eval_samples, seed), settled(benchmark, data, questions)


def load_rows(benchmark: Benchmark, data: DataConfig) -> tuple[list[Row], str]:
    """The dataset's rows as they are, and where they are from. Raises ConfigError where they cannot be had."""
    source = asked_source(benchmark, data)
    if data.dataset_path is None:
        if source is None:
            if benchmark.embedded is None:
                raise ConfigError(f"{benchmark.name} has no questions of its own: give a file with --dataset_path")
            path = EMBEDDED / benchmark.embedded
            if not path.is_file():
                raise ConfigError(f"there is no file of questions at {path}")
            return file_rows(path), str(path) if benchmark.command else benchmark.name
        return hub_rows(source, data.split), source.repository
    path = Path(data.dataset_path).expanduser()
    if path.is_dir():
        return folder_rows(path, source, data.split), str(path)
    if not path.exists():
        raise ConfigError(
            f"there is no dataset at {path}; --dataset_path takes a JSONL, JSON, CSV or parquet file or a folder"
        )
    return file_rows(path), str(path)


def parse_rows(benchmark: Benchmark, rows: Sequence[Row], seed: int, where: str) -> list[Question]:
    """Questions of all rows.

    Raises ConfigError for no rows, a lacking field, an impossible answer or an identifier used twice.
    """
    if not rows:
        raise ConfigError(f"{where} holds no questions")
    parsed: list[Question] = []
    for index, row in enumerate(rows):
        try:
            parsed.append(asked_before(row) or benchmark.parse_row(row, index, seed))
        except KeyError as error:
            found = ", ".join(fields_of(row)) or "none"
            raise ConfigError(
                f"row {index + 1} of {where} has no field {error.args[0]!r}; fields found: {found}"
            ) from error
        except ValueError as error:
            raise ConfigError(f"row {index + 1} of {where}: {error}") from error
    questions = benchmark.combine(parsed)
    _check_identifiers(questions, "row" if len(questions) == len(rows) else "question", where)
    return questions


def _check_identifiers(questions: Sequence[Question], what: str, where: str) -> None:
    seen: set[str] = set()
    for number, question in enumerate(questions, 1):
        if question.id in seen:
            raise ConfigError(f"{what} {number} of {where} has the identifier {question.id!r} of an earlier {what}")
        seen.add(question.id)


def asked_before(row: Row) -> Question | None:
    """The question of a line of a run's questions.jsonl, as it was asked; None for any other row."""
    if set(row) != {field.name for field in dataclasses.fields(Question)} or row["kind"] not in get_args(AnswerKind):
        return None
    return Question(**row)


def subset(questions: Sequence[Question], size: int | None, seed: int) -> list[Question]:
    """That many questions drawn without replacement by the seed, in their order; None takes all."""
    if size is None or size >= len(questions):
        if size is not None and size > len(questions):
            log.warning("all %d questions are taken, since eval_samples asks for %d", len(questions), size)
        return list(questions)
    return [questions[i] for i in sorted(random.Random(seed).sample(range(len(questions)), size))]

"""Worked examples for base models: a file of questions and answers, and how they are written before a question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from srgen.errors import ConfigError

QUESTION_FIELDS = ("question", "problem", "prompt")
ANSWER_FIELDS = ("solution", "response", "answer")
QUESTION, ANSWER = "Question:", "Answer:"


def read_examples(path: Path) -> str:
    """The examples of a JSON, JSON lines or YAML file as they stand before a question.

    Raises ConfigError for a file that cannot be read, or whose rows have no question and answer.
    """
    rows = _rows(path)
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"{path} must hold a list of examples, each with a question and an answer")
    return "".join(_example(row, f"example {index + 1} of {path}") for index, row in enumerate(rows))


def asked_after(examples: str, question: str) -> str:
    """A question in the examples' form, after them."""
    return f"{examples}{QUESTION} {question}\n{ANSWER}"


def _rows(path: Path) -> Any:
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"the few-shot file {path} cannot be read: {reason}") from error
    try:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return yaml.safe_load(text)  # JSON is YAML
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"the few-shot file {path} does not parse: {' '.join(str(error).split())[:200]}") from error


def _example(row: Any, where: str) -> str:
    if not isinstance(row, dict):
        raise ConfigError(f"{where} must have the fields question and answer")
    question, answer = _field(row, QUESTION_FIELDS, where), _field(row, ANSWER_FIELDS, where)
    return f"{asked_after('', question)} {answer}\n\n"


def _field(row: dict[str, Any], names: tuple[str, ...], where: str) -> str:
    for name in names:
        if row.get(name) not in (None, ""):
            return str(row[name]).strip()
    raise ConfigError(f"{where} has none of the fields {', '.join(names)}")

"""A benchmark from a YAML file: where its questions are, which of their fields is which, and how they are asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from evaluators.benchmarks.benchmark import AnswerKind, Benchmark, Question, Row
from evaluators.benchmarks.fields import first, math_question
from evaluators.benchmarks.prompts import REASON_AND_BOX
from srgen.errors import ConfigError
from srgen.suggest import unknown_name
from srgen.yaml_file import read_yaml

KEYS = ("name", "title", "path", "kind", "fields", "system_prompt", "max_new_tokens")
FIELDS = ("id", "problem", "answer")


def read_spec(path: Path) -> Benchmark:
    """The benchmark that a YAML file describes.

        name: arithmetic          # default: the file's name
        title: Sums of my own     # default: the name
        path: sums.jsonl          # JSONL, JSON, CSV or parquet; relative to this file
        kind: integer             # or numeric, latex, choice
        fields: {problem: task, answer: result}     # default: the names that public data sets use
        system_prompt: Think.     # default: "Please reason step by step, and put your final answer within \\boxed{}."
        max_new_tokens: 2048      # default: 4096

    Raises ConfigError for a file that cannot be read, an unknown key, a missing one, or a value that does not fit.
    """
    spec = _mapping(path)
    kind = _choice(spec, "kind", get_args(AnswerKind), path)
    name = str(spec.get("name", path.stem))
    fields = _fields(spec.get("fields"), path)
    budget = spec.get("max_new_tokens", 4096)
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise ConfigError(f"max_new_tokens in {path} must be a number of tokens, not {budget!r}")
    prompt = spec.get("system_prompt", REASON_AND_BOX)
    return Benchmark(
        name=name,
        title=str(spec.get("title", name)),
        kind=kind,
        versions={},
        embedded=str(path.resolve().parent / Path(_required(spec, "path", path)).expanduser()),
        system_prompt="" if prompt is None else str(prompt),
        parse_row=lambda row, index, seed: _question(row, index, name, kind, fields),
        max_new_tokens=budget,
        command="custom --spec FILE",
    )


def _question(row: Row, index: int, name: str, kind: AnswerKind, fields: Mapping[str, str]) -> Question:
    renamed = {ours: first(row, theirs) for ours, theirs in fields.items()}
    return math_question({**row, **renamed}, index, name, kind)


def _mapping(path: Path) -> dict[str, Any]:
    spec = read_yaml(path, "the benchmark's file")
    if not isinstance(spec, dict):
        raise ConfigError(f"{path} must hold `key: value` lines, with the keys {', '.join(KEYS)}")
    for key in spec:
        if key not in KEYS:
            raise unknown_name("key", str(key), KEYS, where=f" in {path}")
    return spec


def _required(spec: Mapping[str, Any], key: str, path: Path) -> str:
    if not spec.get(key):
        raise ConfigError(f"{path} has no {key}; it must say the path of the questions and the kind of the answers")
    return str(spec[key])


def _choice(spec: Mapping[str, Any], key: str, choices: tuple[Any, ...], path: Path) -> Any:
    value = _required(spec, key, path)
    if value not in choices:
        raise ConfigError(f"{key} in {path} must be one of {', '.join(choices)}, not {value!r}")
    return value


def _fields(fields: Any, path: Path) -> dict[str, str]:
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise ConfigError(f"fields in {path} must be names, such as {{problem: task, answer: result}}")
    for ours in fields:
        if ours not in FIELDS:
            raise unknown_name("field", str(ours), FIELDS, where=f" in {path}")
    return {ours: str(theirs) for ours, theirs in fields.items()}

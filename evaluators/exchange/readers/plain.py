"""Plain tables: JSONL, CSV or parquet with a row per response, or a row per question with a list of responses."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluators.exchange.generation import Generation, Source, finish_reason_of, truth_of, whole_number
from evaluators.exchange.readers.json_files import json_lines
from evaluators.exchange.readers.parquet import parquet_rows
from srgen.errors import ConfigError, SRGenError
from srgen.suggest import unknown_name

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("question_id", "id", "unique_id", "problem_id", "problem_idx", "idx"),
    "question": ("question", "problem", "prompt"),
    "sample": ("sample", "sample_index", "sample_idx", "sample_id", "epoch"),
    "response": ("response", "responses", "output", "outputs", "completion", "completions", "generation", "text"),
    "gold": ("gold", "gold_answer", "target", "reference", "expected_answer", "ground_truth"),
    "prompt_tokens": ("prompt_tokens", "input_tokens"),
    "tokens": ("tokens", "generated_tokens", "completion_tokens", "output_tokens"),
    "finish_reason": ("finish_reason", "stop_reason"),
    "reflections": ("reflections",),
    "seconds": ("seconds",),
    "seed": ("seed",),
    "worker": ("worker",),
    "error": ("error",),
    "correct": ("correct", "is_correct"),
    "reasoning": ("reasoning", "reasoning_content"),
    "opening": ("opening",),
    "answer": ("extracted_answer", "answer", "prediction", "pred"),
}
"""The columns that are read, and the names that each is looked for under where no map names it."""


def column_map(text: str | None) -> dict[str, str]:
    """`id=qid,response=output` as a mapping. Raises ConfigError for a column that there is none of."""
    named: dict[str, str] = {}
    for part in filter(None, (text or "").split(",")):
        column, equals, name = part.partition("=")
        if not equals or not name:
            raise ConfigError(f"--columns takes COLUMN=NAME pairs with commas between them, not {part!r}")
        if column.strip() not in COLUMNS:
            raise unknown_name("column", column.strip(), COLUMNS, " in --columns")
        named[column.strip()] = name.strip()
    return named


def read(path: Path, named: Mapping[str, str]) -> Source:
    """A table whose columns are those of `named` (ours: theirs), others by their usual names."""
    rows = {".csv": _csv_rows, ".parquet": parquet_rows}.get(path.suffix, json_lines)(path)
    return Source("plain", _generations(rows, named))


def _generations(rows: Iterable[tuple[str, dict[str, Any]]], named: Mapping[str, str]) -> Iterator[Generation]:
    known: dict[tuple[str, ...], dict[str, str]] = {}  # by the row's own columns: lines may differ in them
    for where, row in rows:
        names = known.get(tuple(row)) or known.setdefault(tuple(row), _names(row, named, where))
        yield from _row(where, {column: row[name] for column, name in names.items()})


def _names(row: Mapping[str, Any], named: Mapping[str, str], where: str) -> dict[str, str]:
    """Their name of every column that is there. Raises SRGenError where the needed ones are not."""
    if missing := [name for name in named.values() if name not in row]:
        raise SRGenError(f"{where}: there is no {missing[0]!r}, which --columns names; found: {', '.join(row)}")
    names = {column: name for column, usual in COLUMNS.items() for name in reversed(usual) if name in row} | dict(named)
    if "response" not in names or not names.keys() & {"id", "question"}:
        lacking = "response" if "response" not in names else "question or its id"
        raise SRGenError(
            f"{where}: no column for the {lacking} is known; name it with --columns (found: {', '.join(row)})"
        )
    return names


def _row(where: str, row: Mapping[str, Any]) -> Iterator[Generation]:
    response = row["response"]
    if not isinstance(response, list):
        yield _generation(where, row, response, row.get("sample"))
        return
    for index, one in enumerate(response):
        # A list beside the responses belongs to them one by one.
        single = {
            name: value[index] if isinstance(value, list) and len(value) == len(response) else value
            for name, value in row.items()
        }
        yield _generation(where, single, one, index)


def _generation(where: str, row: Mapping[str, Any], response: Any, sample: Any) -> Generation:
    if not isinstance(response, str | None):
        raise SRGenError(f"{where}: the response must be text, not {type(response).__name__}")
    error = row.get("error") or None
    try:
        return Generation(
            where=where,
            keys=(str(row["id"]),) if _there(row.get("id")) else (),
            question=str(row["question"]) if _there(row.get("question")) else None,
            sample=whole_number(sample, "the sample", where) if _there(sample) else None,
            response=None if error else response,
            gold=str(row["gold"]) if _there(row.get("gold")) else None,
            prompt_tokens=_count(row, "prompt_tokens", where) or 0,
            tokens=_count(row, "tokens", where),
            finish_reason=finish_reason_of(row.get("finish_reason")),
            reflections=_count(row, "reflections", where) or 0,
            seconds=float(row.get("seconds") or 0),
            seed=_count(row, "seed", where) or 0,
            worker=str(row.get("worker") or "imported"),
            error=str(error) if error else None,
            correct=truth_of(row.get("correct")),
            answer=str(row["answer"]) if _there(row.get("answer")) else None,
            own={name: str(row[name]) for name in ("reasoning", "opening") if _there(row.get(name))},
        )
    except ValueError as wrong:
        raise SRGenError(str(wrong) if str(wrong).startswith(where) else f"{where}: {wrong}") from None


def _count(row: Mapping[str, Any], name: str, where: str) -> int | None:
    return whole_number(row[name], name, where) if _there(row.get(name)) else None


def _there(value: Any) -> bool:
    return value is not None and value != ""


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restkey="", strict=True)
        try:
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                if "" in row or None in row.values():
                    raise SRGenError(f"{where}, has not as many fields as the header; mend or delete the line")
                yield where, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise SRGenError(f"{path}, line {reader.line_num}, is not CSV: {error}") from None

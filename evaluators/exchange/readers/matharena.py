"""MathArena's outputs/<competition>/<model>/<problem>.json(.zst): a file per problem, its runs in lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluators.exchange.generation import Generation, Source, truth_of, whole_number
from evaluators.exchange.readers.json_files import json_file
from srgen.errors import SRGenError


def files(folder: Path) -> list[Path]:
    """The problems of a model's folder, in their order."""
    found = [path for path in folder.iterdir() if path.name.endswith((".json", ".json.zst"))]
    return sorted(found, key=lambda path: (len(path.name.split(".")[0]), path.name))


def read(path: Path) -> Source:
    """A problem's file, or a folder with those of one model."""
    paths = files(path) if path.is_dir() else [path]
    return Source("matharena", _generations(paths), path.resolve().name if path.is_dir() else None)


def _generations(paths: Sequence[Path]) -> Iterator[Generation]:
    for path in paths:
        problem = json_file(path)
        if "messages" not in problem or "problem" not in problem:
            raise SRGenError(f"{path} is not a problem of MathArena: it has no 'problem' and 'messages'")
        for index, messages in enumerate(problem["messages"]):
            yield _run(path, problem, index, messages)


def _run(path: Path, problem: Mapping[str, Any], index: int, messages: Any) -> Generation:
    where = f"{path}, run {index}"
    cost = _at(problem.get("detailed_costs"), index) or {}
    answer = _at(problem.get("answers"), index)
    response = _last_words(messages)
    tokens = cost.get("output_tokens")
    try:
        return Generation(
            where=where,
            keys=(str(problem["idx"]),) if "idx" in problem else (),
            question=problem["problem"],
            sample=index,
            response=response,
            error=None if response is not None else "the conversation has no answer",
            gold=problem.get("gold_answer"),
            prompt_tokens=whole_number(cost.get("input_tokens") or 0, "input_tokens", where),
            tokens=None if tokens is None else whole_number(tokens, "output_tokens", where),
            seconds=float(cost.get("time") or 0),
            correct=truth_of(_at(problem.get("correct"), index)),
            answer=None if answer in (None, "None") else str(answer),
        )
    except ValueError as error:
        raise SRGenError(str(error)) from None


def _last_words(messages: Any) -> str | None:
    """The text of the last assistant block that is no thought."""
    blocks = messages if isinstance(messages, list) else []
    for block in reversed(blocks):
        if isinstance(block, dict) and block.get("role") == "assistant" and block.get("type") in (None, "response"):
            content = block.get("content")
            return content if isinstance(content, str) else _joined(content)
    return None


def _joined(parts: Any) -> str | None:
    if not isinstance(parts, list):
        return None
    return "".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in parts)


def _at(values: Any, index: int) -> Any:
    return values[index] if isinstance(values, list) and index < len(values) else None

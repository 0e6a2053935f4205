"""lm-eval's samples_<task>_<date>.jsonl (`--log_samples`): a line per document and filter, `resps` with K texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluators.exchange.generation import Generation, Source, own_fields, truth_of
from evaluators.exchange.readers.json_files import json_lines
from srgen.errors import SRGenError

_QUESTION = ("question", "problem", "prompt", "query", "input")
_IDENTIFIER = ("id", "question_id", "unique_id", "problem_idx")


def read(path: Path, wanted: str | None) -> Source:
    """A file of samples; the verdicts are those of the filter `wanted`, by default the first one in the file."""
    source = Source("lm-eval", iter(()))
    source.generations = _generations(path, wanted, source)
    return source


def _generations(path: Path, wanted: str | None, source: Source) -> Iterator[Generation]:
    others: set[str] = set()
    for where, row in json_lines(path):
        if "resps" not in row or "doc" not in row:
            raise SRGenError(f"{where}: not a line of lm-eval's samples: it has no 'doc' and 'resps'")
        name = str(row.get("filter", "none"))
        wanted = wanted or name
        if name != wanted:
            others.add(name)
            continue
        yield from _document(where, row)
    if others:
        source.notes.append(
            f"the verdicts are those of lm-eval's filter {wanted}; left aside: {', '.join(sorted(others))} "
            "(--verdicts_of chooses another)"
        )


def _document(where: str, row: Mapping[str, Any]) -> Iterator[Generation]:
    document = row["doc"] if isinstance(row["doc"], dict) else {}
    resps = row["resps"]
    if not isinstance(resps, list) or len(resps) != 1 or not isinstance(resps[0], list):
        raise SRGenError(f"{where}: it has {_requests(resps)}; only tasks that generate one text can be graded")
    texts = resps[0]
    if not all(isinstance(text, str) for text in texts):
        raise SRGenError(f"{where}: its responses are not texts; only tasks that generate can be graded")
    answers = row.get("filtered_resps") or []
    extras = document.get("srgen_samples") or [{}] * len(texts)
    for index, text in enumerate(texts):
        own = extras[index] if index < len(extras) else {}
        yield Generation(
            where=where,
            keys=tuple(str(document[name]) for name in _IDENTIFIER if name in document)
            + ((str(row["doc_hash"]),) if "doc_hash" in row else ()),
            question=next((str(document[name]) for name in _QUESTION if name in document), None) or _prompt(row),
            sample=own.get("sample", index),
            response=None if own.get("error") else text,
            gold=str(row["target"]) if "target" in row else None,
            **_measured(own),
            correct=_verdict(row, len(texts), own),
            answer=str(answers[0]) if len(texts) == 1 and answers and isinstance(answers[0], str) else None,
            own=own_fields(own),
        )


def _measured(own: Mapping[str, Any]) -> dict[str, Any]:
    """What our own export kept of a sample, and lm-eval's schema has no place for."""
    names = ("prompt_tokens", "tokens", "finish_reason", "reflections", "seconds", "seed", "worker", "error")
    return {name: own[name] for name in names if name in own}


def _verdict(row: Mapping[str, Any], responses: int, own: Mapping[str, Any]) -> bool | None:
    """The first metric of the document: of several responses, it is no single one's verdict."""
    if "correct" in own:
        return truth_of(own["correct"])
    metrics = row.get("metrics") or []
    return truth_of(row.get(metrics[0])) if responses == 1 and metrics else None


def _prompt(row: Mapping[str, Any]) -> str | None:
    arguments = row.get("arguments")
    if isinstance(arguments, dict):
        first = arguments.get("gen_args_0")
        return str(first["arg_0"]) if isinstance(first, dict) and "arg_0" in first else None
    return None


def _requests(resps: Any) -> str:
    return f"{len(resps)} requests for one document" if isinstance(resps, list) else "no list of responses"

"""Inspect's logs, version 2: `.eval` (a zip archive with a file per sample) and `.json`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluators.exchange.generation import Generation, Source, finish_reason_of, own_fields, truth_of, whole_number
from evaluators.exchange.readers.json_files import json_file, unzstd
from srgen.errors import SRGenError

VERSION = 2
_ZSTANDARD = 93
_ATTACHMENT = "attachment://"


def read(path: Path, wanted: str | None) -> Source:
    """A log; the verdicts are those of the scorer `wanted`, by default the first one."""
    if path.suffix == ".json":
        log = json_file(path)
        _check_version(log, path)
        samples: Iterable[tuple[str, dict[str, Any]]] = (
            (f"{path}, sample {number}", sample) for number, sample in enumerate(log.get("samples") or [], 1)
        )
        return _source(log, samples, wanted)
    log = _header(path)
    _check_version(log, path)
    return _source(log, _members(path), wanted)


def _source(log: Mapping[str, Any], samples: Iterable[tuple[str, dict[str, Any]]], wanted: str | None) -> Source:
    evaluation = log.get("eval") or {}
    own = (evaluation.get("metadata") or {}).get("srgen") or {}
    return Source(
        "inspect", (_sample(where, sample, wanted) for where, sample in samples), evaluation.get("model"), own
    )


def _check_version(log: Mapping[str, Any], path: Path) -> None:
    if "eval" not in log or "version" not in log:
        raise SRGenError(f"{path} is not a log of Inspect: it has no 'version' and 'eval'")
    if log["version"] != VERSION:
        raise SRGenError(f"{path} is a log of version {log['version']}; only version {VERSION} can be read")


def _header(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            name = "header.json" if "header.json" in names else "_journal/start.json"
            if name not in names:
                raise SRGenError(f"{path} is not a log of Inspect: it has no header.json")
            return dict(_member(archive, path, name))
    except (zipfile.BadZipFile, OSError) as error:
        raise SRGenError(f"{path} is cut off or no zip archive: {error}") from None


def _members(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with zipfile.ZipFile(path) as archive:
        # A sample that was logged again stands twice; the last entry counts.
        for name in dict.fromkeys(archive.namelist()):
            if name.startswith("samples/") and name.endswith(".json"):
                yield f"{path}, {name}", _member(archive, path, name)


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(_bytes(archive, name)))
    # zipfile raises NotImplementedError for a member in a compression that it cannot read.
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise SRGenError(f"{path}, {name}, cannot be read: {' '.join(str(error).split())[:200]}") from None


def _bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member's content; zipfile itself knows zstandard from Python 3.14 only."""
    entry = archive.getinfo(name)
    if entry.compress_type != _ZSTANDARD:
        return archive.read(name)
    stream = archive.fp
    if stream is None:
        raise OSError("the archive is closed")
    stream.seek(entry.header_offset + 26)  # the local header's two lengths, then name, extra field and data
    lengths = stream.read(4)
    stream.seek(int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little"), 1)
    return unzstd(stream.read(entry.compress_size))


def _sample(where: str, sample: Mapping[str, Any], wanted: str | None) -> Generation:
    attachments = sample.get("attachments") or {}
    output = sample.get("output") or {}
    choice = (output.get("choices") or [{}])[0]
    text = _text((choice.get("message") or {}).get("content"), attachments)
    usage = output.get("usage") or {}
    score = _score(sample.get("scores") or {}, wanted, where)
    own = (sample.get("metadata") or {}).get("srgen") or {}
    error = (sample.get("error") or {}).get("message")
    target = sample.get("target")
    try:
        return Generation(
            where=where,
            keys=(str(sample["id"]),),
            question=_question(sample.get("input"), attachments),
            sample=whole_number(sample["epoch"], "the epoch", where) - 1,
            response=None if error else text,
            gold=str(target[0] if isinstance(target, list) and target else target) if target else None,
            prompt_tokens=int(usage.get("input_tokens") or 0),
            tokens=usage.get("output_tokens"),
            finish_reason=finish_reason_of(choice.get("stop_reason")),
            reflections=int(own.get("reflections", (output.get("metadata") or {}).get("reflection_count", 0))),
            seconds=float(own.get("seconds", output.get("time") or sample.get("total_time") or 0)),
            seed=int(own.get("seed", 0)),
            worker=str(own.get("worker", "imported")),
            error=error,
            correct=truth_of(score.get("value")),
            answer=score.get("answer"),
            own=own_fields(own),
        )
    except (KeyError, ValueError) as wrong:
        raise SRGenError(f"{where}: not a sample of Inspect's log: {wrong}") from None


def _score(scores: Mapping[str, Any], wanted: str | None, where: str) -> Mapping[str, Any]:
    if wanted is not None and wanted not in scores:
        raise SRGenError(f"{where}: there is no scorer {wanted!r}; found: {', '.join(scores)}")
    return scores[wanted] if wanted else next(iter(scores.values()), {})


def _question(value: Any, attachments: Mapping[str, str]) -> str | None:
    """The input's text; of a chat, the last turn of the user."""
    if isinstance(value, list):
        turns = [message for message in value if isinstance(message, dict) and message.get("role") == "user"]
        value = turns[-1].get("content") if turns else None
    return _text(value, attachments)


def _text(content: Any, attachments: Mapping[str, str]) -> str | None:
    """A message's text, without thoughts or tool calls; long ones lie among the sample's attachments."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(_text(part, attachments) or "" for part in parts)
    if not isinstance(content, str):
        return None
    return attachments.get(content.removeprefix(_ATTACHMENT), content) if content.startswith(_ATTACHMENT) else content

"""JSON from files: lines with their numbers, and whole files, plain or compressed with zstandard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srgen.errors import SRGenError


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSONL file, each with its place. Raises SRGenError naming a line that is none."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                value = json.loads(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except ValueError as error:
                raise SRGenError(f"{where}, is not JSON ({_reason(error)}); mend or delete the line") from None
            if not isinstance(value, dict):
                raise SRGenError(f"{where}, is not a JSON object; mend or delete the line")
            yield where, value


def json_file(path: Path) -> dict[str, Any]:
    """The object that a .json or .json.zst file holds. Raises SRGenError where it holds none."""
    try:
        data = path.read_bytes()
        value = json.loads(unzstd(data) if path.suffix == ".zst" else data)
    except (OSError, ValueError) as error:
        raise SRGenError(f"{path} cannot be read as JSON: {_reason(error)}") from None
    if not isinstance(value, dict):
        raise SRGenError(f"{path} must hold one JSON object")
    return value


def unzstd(data: bytes) -> bytes:
    """Decompress zstandard. Raises OSError for damaged data."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        return bytes(stream.read())


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else " ".join(str(error).split())[:200]

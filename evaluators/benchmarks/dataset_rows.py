"""Rows of a dataset: from a local file, from a local folder laid out as a hub repository, or from the hub."""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from evaluators.benchmarks.benchmark import Row, Source
from srgen.errors import ConfigError

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
HUB_TIMEOUT = 5.0
"""Seconds that the hub has to answer before local copies are tried instead."""


def file_rows(path: Path) -> list[Row]:
    """All rows of a JSONL, JSON, CSV or parquet file. Raises ConfigError when it cannot be read as one."""
    readers = {".jsonl": _read_jsonl, ".json": _read_json, ".csv": _read_csv, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path} is not a dataset that can be read: the file must end in {', '.join(SUFFIXES)}")
    try:
        rows = reader(path)
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as {path.suffix[1:].upper()}: {_one_line(error)}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path} must hold one object per question")
    return rows


def _read_jsonl(path: Path) -> list[Any]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number} is not JSON ({error.msg})") from None
    return rows


def _read_json(path: Path) -> list[Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # one object per line, whatever the file is called
            return _read_jsonl(path)
        raise
    members = value.values() if isinstance(value, dict) else [value]
    lists = [member for member in members if isinstance(member, list)]
    if len(lists) != 1:
        raise ValueError("it must be a list of questions, or an object that holds one such list")
    return lists[0]


def _read_csv(path: Path) -> list[Any]:
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [{k: v for k, v in row.items() if k is not None} for row in csv.DictReader(file)]


def _read_parquet(path: Path) -> list[Any]:
    import pyarrow.parquet  # type: ignore[import-untyped,unused-ignore]

    rows: list[Any] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


def folder_rows(path: Path, source: Source | None, split: str | None) -> list[Row]:
    """The rows of one split of a folder laid out as a hub repository.

    The configuration is the benchmark's where the folder has it, else its only one; the split is the one asked for,
    else the benchmark's, else its only one. Raises ConfigError where these do not exist.
    """
    import datasets

    datasets.disable_progress_bars()
    try:
        configs = datasets.get_dataset_config_names(str(path))
        config = _choose("configuration", source.config if source else None, configs, path, strict=False)
        splits = datasets.get_dataset_split_names(str(path), config)
        wanted = split or (source.split if source else None)
        chosen = _choose("split", wanted, splits, path, strict=split is not None)
        # A cache of its own: the shared one takes another folder of the same name for this one.
        with tempfile.TemporaryDirectory() as cache:
            return list(datasets.load_dataset(str(path), config, split=chosen, cache_dir=cache))
    except ConfigError:
        raise
    except Exception as error:  # whatever a broken folder makes `datasets` raise
        raise ConfigError(f"{path} cannot be read as a dataset folder: {_one_line(error)}") from error


def _choose(what: str, wanted: str | None, present: list[str], path: Path, *, strict: bool) -> str:
    if wanted in present:
        return str(wanted)
    if len(present) == 1 and not strict:
        return present[0]
    raise ConfigError(f"{path} has no {what} {wanted!r}; it has {', '.join(present)}")


def hub_rows(source: Source, split: str | None) -> list[Row]:
    """The rows of the hub's dataset at its pinned revision, or of the copy that an earlier run has cached.

    Raises ConfigError that says what to do when the hub cannot be reached, the dataset is gated, or has no such split.
    """
    local = "give a local copy with --dataset_path FILE.jsonl|json|csv|parquet|FOLDER"
    page = f"https://huggingface.co/datasets/{source.repository}"
    if not hub_reachable():
        # Before the import: `datasets` reads it once. It then takes its cache at once instead of retrying for 25 s.
        os.environ["HF_HUB_OFFLINE"] = "1"
    import datasets

    try:
        return list(
            datasets.load_dataset(
                source.repository, source.config, split=split or source.split, revision=source.revision
            )
        )
    except datasets.exceptions.DatasetNotFoundError as error:
        if source.gated:
            raise ConfigError(
                f"{source.repository} is gated: accept its terms at {page} and log in (`hf auth login`, or HF_TOKEN),"
                f" or {local}"
            ) from error
        raise ConfigError(f"{page} cannot be had ({_one_line(error)}); {local}") from error
    except ValueError as error:  # an unknown split or configuration
        raise ConfigError(f"{source.repository}: {_one_line(error)}") from error
    except Exception as error:  # the network has many ways to fail
        raise ConfigError(f"the hub cannot be reached for {source.repository}; {local}") from error


def hub_reachable() -> bool:
    """Whether the hub ($HF_ENDPOINT, else huggingface.co) answers at all within HUB_TIMEOUT seconds."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=HUB_TIMEOUT).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__

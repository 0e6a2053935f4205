"""Which reader a file or folder is for, told by its name and its first lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluators.exchange.generation import Source
from evaluators.exchange.readers import inspect_log, journal, lighteval, lm_eval, matharena, plain
from evaluators.exchange.readers.json_files import json_file, json_lines
from evaluators.records.schema import SAMPLES_FILE
from srgen.errors import ConfigError, SRGenError
from srgen.suggest import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderOptions:
    """What a user says of the source."""

    columns: Mapping[str, str]
    """Plain tables: their names of our columns."""
    verdicts_of: str | None = None
    """lm-eval's filter, inspect's scorer or lighteval's metric whose verdicts are kept."""


_READERS: Mapping[str, Callable[[Path, ReaderOptions], Source]] = {
    "plain": lambda path, options: plain.read(path, options.columns),
    "lm-eval": lambda path, options: lm_eval.read(path, options.verdicts_of),
    "lighteval": lambda path, options: lighteval.read(path, options.verdicts_of),
    "inspect": lambda path, options: inspect_log.read(path, options.verdicts_of),
    "matharena": lambda path, options: matharena.read(path),
    "srgen": lambda path, options: journal.read(path),
}
FORMATS = tuple(_READERS)
_FOLDERS = {"samples_*.jsonl": "lm-eval", "details_*.parquet": "lighteval", "*.eval": "inspect"}
_JOURNAL_FIELDS = {"question_id", "sample", "response", "status", "generated_tokens", "worker"}


def open_source(path: Path, name: str | None, options: ReaderOptions) -> Source:
    """The source at `path`, of the format `name` or of the one that it looks like.

    Raises ConfigError where it is of no known format, SRGenError where it is damaged at its head.
    """
    if not path.exists():
        raise ConfigError(f"there is no {path} to import")
    if name is not None and name not in _READERS:
        raise unknown_name("format", name, _READERS)
    path, found = _in_folder(path) if path.is_dir() else (path, None)
    chosen = name or found or _of_file(path)
    if options.columns and chosen != "plain":
        raise ConfigError(f"--columns is for plain tables; {path} looks like {chosen} (--format plain reads it as one)")
    return _READERS[chosen](path, options)


def _in_folder(folder: Path) -> tuple[Path, str]:
    """The file in a folder that is meant, or the folder itself."""
    if (folder / SAMPLES_FILE).is_file():
        return folder, "srgen"
    for pattern, name in _FOLDERS.items():
        found = sorted(folder.rglob(pattern))
        if len(found) == 1:
            return found[0], name
        if found:
            listed = ", ".join(str(path.relative_to(folder)) for path in found[:5])
            raise ConfigError(f"{folder} holds {len(found)} files of {name}; name one of them: {listed}")
    if matharena.files(folder):
        return folder, "matharena"
    raise ConfigError(f"{folder} holds nothing that can be imported (formats: {', '.join(FORMATS)})")


def _of_file(path: Path) -> str:
    if path.suffix == ".eval":
        return "inspect"
    if path.name.endswith(".json.zst"):
        return "matharena"
    if path.suffix == ".json":
        return "inspect" if "eval" in json_file(path) else "matharena"
    if path.suffix == ".parquet":
        return "lighteval" if path.name.startswith("details_") else "plain"
    if path.suffix == ".csv":
        return "plain"
    if path.suffix in (".jsonl", ".ndjson"):
        return _of_lines(path)
    raise ConfigError(f"{path} is of no known format; --format names one of {', '.join(FORMATS)}")


def _of_lines(path: Path) -> str:
    _, first = next(json_lines(path), ("", {}))
    if not first:
        raise SRGenError(f"{path} is empty")
    if first.keys() >= {"doc", "resps"}:
        return "lm-eval"
    return "srgen" if first.keys() >= _JOURNAL_FIELDS else "plain"

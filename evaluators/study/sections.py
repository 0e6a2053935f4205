"""The sections of STUDY.yaml: entries of flags, and the sweeps in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from evaluators.settings.flags import BY_NAME
from evaluators.settings.sources import read_config_file
from srgen.errors import ConfigError
from srgen.suggest import unknown_name
from srgen.yaml_file import read_yaml

NOT_OF_A_STUDY = {
    "run_name": "the runs of a study are named by their settings",
    "until_settled": "every run of a study has its planned number of samples",
    "smallest_effect": "it goes with --until_settled",
    "dry_run": "it is a flag of the study's command",
    "resume": "a study always goes on with what is there",
    "entropy_output_file": "every run keeps its entropies in its own folder",
}
"""Flags that no section takes, and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one section, or one name in it, sets."""

    values: Mapping[str, Any] = field(default_factory=dict)
    sweeps: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """By flag, the values that it takes in turn."""

    def variants(self, names: Sequence[str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every combination of the swept values (of `names` only): what it adds to a name, and all that it sets."""
        swept = [name for name in self.sweeps if names is None or name in names]
        for combination in itertools.product(*(self.sweeps[name] for name in swept)):
            chosen = dict(zip(swept, combination, strict=True))
            suffix = "".join(f"-{name}={_short(value)}" for name, value in chosen.items())
            yield suffix, {**self.values, **chosen}


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("/", "_")


def study_mapping(path: Path) -> dict[str, Any]:
    """The file's mapping. Raises ConfigError where it cannot be read, is no mapping, or has a key twice."""
    content = read_yaml(path, "the study", _Loader)
    return mapping(content, f"{path}")


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the base class."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise ConfigError(f"line {line} gives {key.value!r} a second time; two cells would have the same name")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def mapping(value: Any, where: str) -> dict[str, Any]:
    """A YAML mapping with text as keys; nothing is an empty one. Raises ConfigError naming `where` it stands."""
    if value is not None and not isinstance(value, dict):
        raise ConfigError(f"{where} must hold `name: value` pairs, not {value!r}")
    return {str(key): item for key, item in (value or {}).items()}


def entry(value: Any, where: str, folder: Path, own: Sequence[str] = ()) -> Entry:
    """Flags and sweeps of a mapping; a list is a sweep, so is each key of its `grid`, `config` names a file of flags.

    `own`: keys that the caller has read. Raises ConfigError for an unknown flag, with the nearest, or a wrong value.
    """
    given = {key: item for key, item in mapping(value, where).items() if key not in own}
    grid = mapping(given.pop("grid", None), f"grid in {where}")
    for key in {**given, **grid}:
        _check_name(key, where)
    values: dict[str, Any] = {}
    if (file := given.pop("config", None)) is not None:
        values |= read_config_file(folder / str(file))
    sweeps: dict[str, list[Any]] = {}
    for key, item in {**given, **grid}.items():
        if isinstance(item, list):
            sweeps[key] = _sweep(key, item, where)
            values.pop(key, None)
        elif key in grid:
            raise ConfigError(f"{key} in the grid of {where} must be a list of values, not {item!r}")
        elif item is not None:
            values[key] = BY_NAME[key].parse(item, f"{key} in {where}")
    return Entry(values, sweeps)


def _check_name(key: str, where: str) -> None:
    if key in NOT_OF_A_STUDY:
        raise ConfigError(f"{where} cannot set {key}: {NOT_OF_A_STUDY[key]}")
    if key not in BY_NAME:
        known = [name for name in BY_NAME if name not in NOT_OF_A_STUDY]
        raise unknown_name("parameter", key, [*known, "grid"], where=f" in {where}")


def _sweep(key: str, items: list[Any], where: str) -> list[Any]:
    if not items:
        raise ConfigError(f"{key} in {where} is an empty list; give the values to sweep over")
    values = [BY_NAME[key].parse(item, f"{key} in {where}") for item in items]
    if len(set(map(_short, values))) < len(values):
        raise ConfigError(f"{key} in {where} names a value twice")
    return values

"""STUDY.yaml: its sections, and the cells that they make."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from evaluators.benchmarks.benchmark import Benchmark
from evaluators.benchmarks.questions import source_of
from evaluators.benchmarks.registry import benchmark_named
from evaluators.cli import run_config
from evaluators.settings.flags import BY_NAME
from evaluators.settings.run_config import RunConfig
from evaluators.settings.sources import read_settings
from evaluators.study.cells import Cell
from evaluators.study.published import Published, read_published
from evaluators.study.sections import Entry, entry, mapping, study_mapping
from srgen.config import SRGenConfig
from srgen.errors import ConfigError
from srgen.methods.registry import BASE, SRGEN, methods, parse
from srgen.suggest import unknown_name

SECTIONS = ("models", "benchmarks", "methods", "average", "settings", "grid", "published")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a study file says."""

    name: str
    cells: tuple[Cell, ...]
    published: Published
    output_dir: Path

    @property
    def directory(self) -> Path:
        """Where the study keeps its table and logs; its runs are in the folders of ordinary runs."""
        return self.output_dir / "studies" / self.name

    def chosen(self, patterns: Sequence[str]) -> list[Cell]:
        """The cells whose names match or contain one of the patterns (`*`, `?`, `[...]`); all where there are none.

        Raises ConfigError for a pattern that matches none.
        """
        for pattern in patterns:
            if not any(_matches(cell, pattern) for cell in self.cells):
                raise unknown_name("cell", pattern, [cell.name for cell in self.cells])
        return [cell for cell in self.cells if not patterns or any(_matches(cell, pattern) for pattern in patterns)]


def _matches(cell: Cell, pattern: str) -> bool:
    return fnmatchcase(cell.name, pattern) or pattern in cell.name


def read_study(path: Path) -> Study:
    """The study in a file.

    Raises ConfigError, with the nearest name, for an unknown key, benchmark or parameter, and for cells that have one
    name or are one run.
    """
    content = study_mapping(path)
    for key in content:
        if key not in SECTIONS:
            hint = "; it belongs under `settings`" if key in BY_NAME else ""
            raise (
                unknown_name("key", key, SECTIONS, where=f" in {path}")
                if not hint
                else ConfigError(f"unknown key {key!r} in {path}{hint}")
            )
    sections = _Sections(path, content)
    cells = tuple(sections.cells())
    _check_apart(cells)
    published = read_published(
        content.get("published"),
        *(list(dict.fromkeys(getattr(cell, part) for cell in cells)) for part in ("model", "benchmark", "method")),
    )
    output_dir = sections.settings.values.get("output_dir", BY_NAME["output_dir"].default)
    return Study(name=path.stem, cells=cells, published=published, output_dir=Path(output_dir).expanduser())


class _Sections:
    """The file's sections, each entry read."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        folder = path.expanduser().parent
        common = {**mapping(content.get("settings"), "settings")}
        if "average" in content:
            common["average"] = content["average"]
        if "grid" in content:
            common["grid"] = {**mapping(common.get("grid"), "grid in settings"), **mapping(content["grid"], "grid")}
        self.settings = entry(common, "settings", folder)
        self.models = {
            name: entry(value, f"models.{name}", folder) for name, value in _named(content, "models", path).items()
        }
        self.benchmarks = {
            name: (_benchmark(name), entry(value, f"benchmarks.{name}", folder, own=("version",)))
            for name, value in _listed(content, path).items()
        }
        self.methods = {name: _method(name, value, folder) for name, value in _named(content, "methods", path).items()}

    def cells(self) -> Iterator[Cell]:
        """All cells: model by model, benchmark by benchmark."""
        for model, of_model in self.models.items():
            for model_suffix, model_values in of_model.variants():
                for benchmark, ((family, version), of_benchmark) in self.benchmarks.items():
                    for benchmark_suffix, benchmark_values in of_benchmark.variants():
                        around = {**model_values, **benchmark_values, **({"version": version} if version else {})}
                        for method, of_method in self.methods.items():
                            yield from self._of_method(
                                (f"{model}{model_suffix}", f"{benchmark}{benchmark_suffix}", method),
                                family,
                                around,
                                of_method,
                            )

    def _of_method(
        self, names: tuple[str, str, str], family: Benchmark, around: Mapping[str, Any], method: Entry
    ) -> Iterator[Cell]:
        model, benchmark, name = names
        for suffix, values in method.variants():
            where = f"{model}/{benchmark}/{name}{suffix}"
            first = {key: items[0] for key, items in self.settings.sweeps.items()}
            plain = _config(family, {**self.settings.values, **first, **around, **values}, where)
            # A common sweep over a parameter that this method does not have, or sets itself, makes no further cells.
            swept = [k for k in self.settings.sweeps if _applies(k, plain) and k not in {**around, **values}]
            for common_suffix, common in self.settings.variants(swept):
                chosen = {**common, **around, **values}
                chosen = {key: value for key, value in chosen.items() if _applies(key, plain)}
                yield Cell(
                    model=model,
                    benchmark=benchmark,
                    method=f"{name}{suffix}{common_suffix}",
                    variant=_common(self.settings.sweeps, common),
                    family=family,
                    values={key: chosen[key] for key in BY_NAME if key in chosen},
                    config=_config(family, chosen, f"{where}{common_suffix}"),
                )


def _named(content: Mapping[str, Any], section: str, path: Path) -> dict[str, Any]:
    names = mapping(content.get(section), section)
    if not names:
        raise ConfigError(f"{path} has no {section}; give at least one as `{section}: {{NAME: {{flag: value}}}}`")
    return names


def _listed(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The benchmarks, from a list of names or a mapping."""
    value = content.get("benchmarks")
    if not isinstance(value, list):
        return _named(content, "benchmarks", path)
    names: dict[str, Any] = {}
    for item in value:
        if isinstance(item, dict | list):
            raise ConfigError(f"benchmarks must be a list of names, or a mapping of names to flags, not {item!r}")
        if str(item) in names:
            raise ConfigError(f"benchmarks names {str(item)!r} twice, so that two cells would have the same name")
        names[str(item)] = None
    if not names:
        raise ConfigError(f"{path} has no benchmarks")
    return names


def _benchmark(name: str) -> tuple[Benchmark, str | None]:
    """`NAME` or `NAME:VERSION`."""
    family, _, version = name.partition(":")
    benchmark = benchmark_named(family)
    source_of(benchmark, version or None)
    return benchmark, version or None


def _method(name: str, value: Any, folder: Path) -> Entry:
    """A method's entry; without `method`, its name says which it is."""
    given = mapping(value, f"methods.{name}")
    if "method" not in given and "use_entropy_control" not in given:
        if name not in (BASE, SRGEN, *methods()):
            raise ConfigError(f"methods.{name} does not say which method it is; add `method: {SRGEN}`, say")
        given["method"] = name
    read = entry(given, f"methods.{name}", folder)
    for kind in [read.values.get("method"), *read.sweeps.get("method", ())]:
        if kind is not None:
            parse(kind)
    return read


def _applies(flag: str, config: RunConfig) -> bool:
    """Whether a parameter has an effect in a run: those of a method have none where it is off."""
    owner = BY_NAME[flag].owner
    if owner is SRGenConfig:
        return config.srgen is not None
    return owner not in methods().values() or owner in [type(method) for method in config.methods]


def _is_of_a_method(flag: str) -> bool:
    return BY_NAME[flag].owner in (SRGenConfig, *methods().values())


def _common(sweeps: Iterable[str], values: Mapping[str, Any]) -> str:
    """What the common sweeps set, but for the methods' own parameters: the base has no part in those."""
    return "".join(f"-{k}={values[k]}" for k in sweeps if k in values and BY_NAME[k].owner is not SRGenConfig)


def _config(family: Benchmark, values: Mapping[str, Any], where: str) -> RunConfig:
    flags = Cell(model="", benchmark="", method="", family=family, values=values, config=None)  # type: ignore[arg-type]
    try:
        return run_config(family, read_settings(family, flags.arguments))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _check_apart(cells: Sequence[Cell]) -> None:
    """Raise ConfigError where two cells have one name, or would be one run."""
    names: set[str] = set()
    runs: dict[str, str] = {}
    for cell in cells:
        if cell.name in names:
            raise ConfigError(f"two cells have the name {cell.name!r}; rename one of their methods")
        names.add(cell.name)
        identity = json.dumps(cell.config.identity(), sort_keys=True, default=str)
        if identity in runs:
            raise ConfigError(f"{runs[identity]} and {cell.name} are one and the same run; leave one of them out")
        runs[identity] = cell.name

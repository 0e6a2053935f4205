"""What differs between two runs' configurations besides the method, and could explain a difference in accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluators.records.reading import read_config
from evaluators.records.schema import CONFIG_FILE
from evaluators.settings.identity import difference
from evaluators.settings.run_config import RunConfig

EXECUTION = {"device": None, "tensor_parallel": 1}
"""Of how a run is executed, what can change its numbers, with what it is where nothing is said."""
HARDWARE = ("gpus", "machine")
APART = (
    "srgen",
    "methods",
    "method",
    "average",
    "seed",
    "record_entropy",
    "data.eval_samples",
    "sampling",
    "model.model_path",
)
"""The method, which is meant to differ, and what a comparison checks or says by itself."""
_TOLD = {
    "data.system_prompt": "the prompt",
    "model.dtype": "the model's settings",
    "execution.device": "the device",
    "versions": "the libraries' versions",
    "hardware": "the hardware",
    "git_commit": "the commit",
}
"""What a run tells of itself, by one of the settings that belong to it."""


def configuration_notes(base: Path, other: Path) -> list[str]:
    """A sentence for each setting, version and device that differs, from two runs' directories or summary CSVs."""
    folders = [path if path.is_dir() else path.parent for path in (base, other)]
    missing = [str(folder) for folder in folders if not (folder / CONFIG_FILE).is_file()]
    if missing:
        return [f"what differs besides the method is not known: there is no {CONFIG_FILE} in {' and '.join(missing)}"]
    return configuration_differences(*(read_config(folder) for folder in folders))


def configuration_differences(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The same from the configurations themselves."""
    runs = difference(dict(base["run"]), dict(other["run"]), RunConfig)
    first, second = (
        {**_settings(run, config), **_surroundings(config)} for run, config in zip(runs, (base, other), strict=True)
    )
    names = tuple(dict.fromkeys([*first, *second]))
    notes = [
        f"besides the method, {_title(name)} differs: {_shown(first, name)} and {_shown(second, name)}"
        for name in names
        if first.get(name) != second.get(name) and _told(base, name) and _told(other, name)
    ]
    for which, config in (("first", base), ("second", other)):
        untold = [title for name, title in _TOLD.items() if not _told(config, name)]
        if untold:
            notes.append(f"the {which} run is imported; not known of it: {', '.join(untold)}")
    return notes


def _told(config: Mapping[str, Any], name: str) -> bool:
    """Whether a run says this of itself; one that was imported may not."""
    part, _, rest = name.partition(".")
    if "imported" not in config:
        return True
    if part in {"data", "model"}:
        return rest.partition(".")[0] in config["run"][part]
    return part in config["run"] or part in config


def _settings(run: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    execution = config["run"].get("execution") or {}
    leaves = dict(_leaves("", run))
    kept = {name: value for name, value in leaves.items() if not any(_within(name, part) for part in APART)}
    return {**kept, **{f"execution.{name}": execution.get(name, default) for name, default in EXECUTION.items()}}


def _surroundings(config: Mapping[str, Any]) -> dict[str, Any]:
    versions, hardware = config.get("versions") or {}, config.get("hardware") or {}
    return {
        **{f"versions.{name}": version for name, version in versions.items()},
        **{f"hardware.{name}": hardware.get(name) for name in HARDWARE},
        "git_commit": config.get("git_commit"),
    }


def _leaves(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def _title(name: str) -> str:
    section, _, rest = name.partition(".")
    titles = {
        "versions": f"the version of {rest}",
        "hardware": f"the hardware ({rest})",
        "git_commit": "the commit of this project",
    }
    return titles.get(section, rest or section)


def _shown(values: Mapping[str, Any], name: str) -> str:
    text = str(values.get(name) or "none")
    return text if len(text) <= 80 else text[:77] + "..."

"""What decides a run's samples: it names the run's folder, and it is compared before a run goes on.

A field that is added to the settings later counts by its value: at its default it is left out, so that runs from before
it existed keep their names and go on. What the settings cannot say (the bytes behind a path, the number format that
`auto` comes to) is found when a run begins, written to config.yaml, and compared where both sides have it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

FOUNDING: Mapping[str, tuple[str, ...]] = {
    "": ("average", "data", "model", "record_entropy", "sampling", "seed", "srgen"),
    "data": ("benchmark", "version", "dataset_path", "split", "eval_samples", "system_prompt", "prompt_role"),
    "model": (
        "model_path",
        "backend",
        "dtype",
        "attn_implementation",
        "device_map",
        "reencode_context",
        "budget_per_pass",
        "drop_last_reflection",
    ),
    "sampling": ("do_sample", "temperature", "top_p", "top_k", "max_new_tokens", "stop"),
    "srgen": (
        "times",
        "lr",
        "entropy_weight",
        "entropy_threshold",
        "adaptive_entropy",
        "adaptive_entropy_N",
        "adaptive_entropy_K",
        "minimal_std",
        "minimal_threshold",
        "max_retries",
        "mask_special_tokens",
        "reflection",
        "sketch_top",
    ),
}
"""The fields of the first version by section: always part of the identity, in this order. Never add to them."""

FOUND = (
    ("model", "model_path", "weights"),
    ("model", "model_path", "revision"),
    ("model", "dtype", "number_format"),
    ("data", "dataset_path", "questions"),
    ("data", "few_shot", "examples"),
)
"""(section, name, content): where both sides know the content behind a name, it decides, and the name does not."""
MOVED = ("base_url", "max_model_len")
"""Fields of `model` that the first version wrote under `execution`, which changes no sample."""

Values = dict[str, Any]


def identity(run: Mapping[str, Any], owner: type) -> Values:
    """The deciding part of a run's settings, given as a nested mapping (of `owner`, or as config.yaml holds it)."""
    values = {name: value for name, value in run.items() if name != "execution"}
    execution = run.get("execution") or {}
    earlier = {name: execution[name] for name in MOVED if name in execution}
    return _deciding({**values, "model": {**earlier, **values["model"]}}, owner, "")


def key(run: Mapping[str, Any], owner: type) -> str:
    """Eight hexadecimal digits that name a run: equal for settings that decide the same samples."""
    values = identity(run, owner)
    for section, name, content in FOUND:
        if values[section].get(content):
            values[section][name] = path_name(values[section][name])
    return _digest(values)


def first_key(run: Mapping[str, Any], owner: type) -> str:
    """The key that the first version would have given: its fields alone, and paths as they are spelled."""
    values = identity(run, owner)
    return _digest(
        {
            name: {field: value[field] for field in FOUNDING[name]} if isinstance(value, dict) else value
            for name, value in values.items()
            if name in FOUNDING[""]
        }
    )


def difference(there: Mapping[str, Any], here: Mapping[str, Any], owner: type) -> tuple[Values, Values]:
    """The identities of two runs without what does not tell them apart: equal mappings mean the same samples.

    Content that one side does not know is not compared; where both know it, its name is not.
    """
    one, other = _plain(identity(there, owner)), _plain(identity(here, owner))
    for section, name, content in FOUND:
        a, b = one[section], other[section]
        known = a.get(content) and b.get(content)
        if not known:
            a.pop(content, None)
            b.pop(content, None)
        same = (known and a[content] == b[content]) or same_path(a.get(name), b.get(name))
        if same and name in a:
            b[name] = a[name]
    return one, other


def path_name(path: str) -> str:
    """The last part of a path or hub id, however it is spelled."""
    place = Path(path).expanduser()
    return place.resolve().name if place.exists() else path.rstrip("/").replace("\\", "/").split("/")[-1]


def same_path(one: str | None, other: str | None) -> bool:
    """Whether two spellings mean the same file or folder."""
    if one is None or other is None:
        return one == other
    return one == other or Path(one).expanduser().resolve() == Path(other).expanduser().resolve()


def _deciding(values: Mapping[str, Any], owner: type | None, section: str) -> Values:
    """The founding fields in their order, then those with another value than their default, by name."""
    defaults = _defaults(owner)
    founding = FOUNDING.get(section, ())
    later = sorted(name for name in values if name not in founding and _text(values[name]) != defaults.get(name))
    sections = _sections(owner)
    return {
        name: _deciding(value, sections.get(name), name) if isinstance(value := values[name], Mapping) else value
        for name in (*(name for name in founding if name in values), *later)
    }


def _defaults(owner: type | None) -> dict[str, str]:
    """The default of each field as text; a field that must be given has none."""
    found: dict[str, str] = {}
    for field in dataclasses.fields(owner) if owner else ():
        if field.default is not dataclasses.MISSING:
            found[field.name] = _text(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = _text(field.default_factory())
    return found


def _text(value: Any) -> str:
    """A value as config.yaml has it, by which a tuple is a list."""
    return json.dumps(value, sort_keys=True, default=dataclasses.asdict)


def _sections(owner: type | None) -> dict[str, type]:
    """The config classes among a class's fields, those that may be None included."""
    found: dict[str, type] = {}
    for name, hint in (get_type_hints(owner) if owner else {}).items():
        section: Any = get_args(hint)[0] if get_origin(hint) in (Union, types.UnionType) else hint
        if isinstance(section, type) and dataclasses.is_dataclass(section):
            found[name] = section
    return found


def _plain(values: Values) -> Values:
    """As config.yaml gives them: a tuple is a list there."""
    return dict(json.loads(json.dumps(values)))


def _digest(values: Values) -> str:
    return hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()[:8]

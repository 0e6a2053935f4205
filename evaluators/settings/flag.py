"""One command-line flag, which is also a key of the YAML file."""

from __future__ import annotations

import dataclasses
import json
import types
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from srgen.config import parse_value
from srgen.errors import ConfigError
from srgen.methods.contract import Method

Kind = Literal["bool", "int", "float", "str", "json"]
"""`json` is a JSON object, or in YAML a mapping; its value is the object as text with sorted keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """What a flag is called, what it takes, and what it sets."""

    name: str
    group: str
    unit: str
    help: str
    kind: Kind
    owner: type | None
    """The config class whose field of the same name it sets; None where the command line itself uses it."""
    default: Any
    default_text: str
    choices: tuple[str, ...] = ()
    field: str = ""
    """The owner's field, where it is not called as the flag is."""

    @property
    def target(self) -> str:
        """The name of the owner's field."""
        return self.field or self.name

    def parse(self, value: Any, where: str) -> Any:
        """The value in the flag's type, from text or a YAML scalar. Raises ConfigError naming `where` it came from."""
        if self.kind == "json":
            return _object(value, where)
        if self.kind == "str":
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ConfigError(f"{where} must be text, not {value!r}")
            value = str(value)
        value = parse_value(where, value, self.kind)
        if self.choices and value not in self.choices:
            raise ConfigError(f"{where} must be one of {', '.join(self.choices)}, not {value!r}")
        return value


def sets(
    group: str, owner: type, name: str, unit: str, text: str, *, default_text: str = "", json_object: bool = False
) -> Flag:
    """A flag that sets a field of a config class: type, choices and default are the field's."""
    field = next(f for f in dataclasses.fields(owner) if f.name == name)
    kind, choices = _kind(get_type_hints(owner)[name])
    default = None if field.default is dataclasses.MISSING else field.default
    return Flag(
        name=name,
        group=group,
        unit=unit or "|".join(choices),
        help=text,
        kind="json" if json_object else kind,
        owner=owner,
        default=default,
        default_text=default_text or _text(default),
        choices=choices,
    )


def of_method(method: type[Method]) -> list[Flag]:
    """A flag for each parameter of a method, `--<method>_<parameter>`."""
    flags = []
    for field in dataclasses.fields(method):  # type: ignore[arg-type]
        unit, text = field.metadata["unit"], field.metadata["help"]
        flag = sets(method.title, method, field.name, unit, text)
        flags.append(dataclasses.replace(flag, name=f"{method.name}_{field.name}", field=field.name))
    return flags


def own(
    group: str, name: str, kind: Kind, unit: str, text: str, *, default: Any = None, default_text: str = ""
) -> Flag:
    """A flag that the command line itself uses."""
    return Flag(
        name=name,
        group=group,
        unit=unit,
        help=text,
        kind=kind,
        owner=None,
        default=default,
        default_text=default_text or _text(default),
    )


def _object(value: Any, where: str) -> str:
    """A JSON object in one spelling."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f'{where} must be a JSON object such as {{"enable_thinking": true}}, not {value!r}')
    return json.dumps(found, sort_keys=True)


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(option for option in get_args(annotation) if option is not type(None))
    if get_origin(annotation) is Literal:
        return "str", get_args(annotation)
    return annotation.__name__, ()


def _text(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return "none" if default is None else str(default)

"""The methods that `--method` knows: the files of this package, and the entry points of others."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from types import ModuleType

import srgen.methods
from srgen.errors import ConfigError
from srgen.methods.contract import Method
from srgen.suggest import unknown_name

ENTRY_POINTS = "srgen.methods"
BASE, SRGEN = "base", "srgen"
"""Plain decoding, and SRGen, which the engines drive themselves; neither is a `Method`."""


@functools.cache
def methods() -> Mapping[str, type[Method]]:
    """Every method's class by its name, in the order of the names.

    Raises ConfigError where an installed method cannot be imported, or a name is taken twice.
    """
    found: dict[str, type[Method]] = {}
    for kind in (*_of_this_package(), *_of_others()):
        if kind.name in (BASE, SRGEN, *found) or not kind.name.isidentifier():
            raise ConfigError(f"a method is called {kind.name!r}, which is taken or not a plain name; rename it")
        found[kind.name] = kind
    return dict(sorted(found.items()))


def parse(text: str) -> tuple[str, ...]:
    """The names in `srgen+slot`, SRGen first and the others in order; () for `base`.

    Raises ConfigError for an unknown name (suggesting the nearest), for one that is given twice, and for `base` beside
    others.
    """
    names = text.split("+")
    known = [BASE, SRGEN, *methods()]
    for name in names:
        if name not in known:
            raise unknown_name("method", name, known)
        if names.count(name) > 1:
            raise ConfigError(f"the method {text!r} names {name} twice")
    if BASE in names and len(names) > 1:
        raise ConfigError(f"base is plain decoding and combines with nothing; leave it out of {text!r}")
    return tuple(name for name in known[1:] if name in names)


def named(names: Iterable[str]) -> str:
    """The way back from `parse`: one name for all of them."""
    return "+".join(names) or BASE


def check_combination(uses_srgen: bool, chosen: Sequence[Method], steered: bool = False) -> None:
    """Raise ConfigError for methods that do not combine; `steered` says that the sampling itself forces tokens."""
    for method in chosen:
        if uses_srgen and method.changes_rows:
            raise ConfigError(
                f"{method.name} changes rows in a way that SRGen's context cannot know; use one of the two"
            )
    forcing = [method.name for method in chosen if method.forces_tokens]
    if steered and forcing:
        raise ConfigError(f"--method {forcing[0]} and --thinking_budget or --ignore_end both force tokens; use one")
    if len(forcing) > 1:
        raise ConfigError(f"{forcing[0]} and {forcing[1]} both force tokens; use one of the two")


def check_rewrites_nothing(method: Method) -> None:
    """Raise ConfigError for a method that needs the transformers engine: others shift rows and force tokens only."""
    if method.changes_rows:
        raise ConfigError(f"{method.name} rewrites rows, which only the transformers engine can do")


def _of_this_package() -> list[type[Method]]:
    files = [info.name for info in pkgutil.iter_modules(srgen.methods.__path__)]
    return [kind for file in files for kind in _classes(importlib.import_module(f"{srgen.methods.__name__}.{file}"))]


def _of_others() -> list[type[Method]]:
    found = []
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        try:
            kind = entry.load()
        except Exception as error:  # the fault of another package, whatever it is
            raise ConfigError(f"the method {entry.name!r} of {entry.value} cannot be imported: {error}") from error
        if not (inspect.isclass(kind) and issubclass(kind, Method)):
            raise ConfigError(f"the entry point {entry.value} of {ENTRY_POINTS} is no subclass of srgen's Method")
        found.append(kind)
    return found


def _classes(module: ModuleType) -> list[type[Method]]:
    """The methods that a module defines, and not those that it imports."""
    classes = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__]
    return [kind for kind in classes if issubclass(kind, Method) and kind is not Method]

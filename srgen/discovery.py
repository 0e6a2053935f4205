"""Things that are found by name without a list: files of a package, and entry points of other installed packages."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from srgen.errors import ConfigError, SRGenError


def discover(package: str, attribute: str, group: str) -> dict[str, EntryPoint]:
    """Where each name leads, in the order of the names; nothing is imported but `package`.

    A file `NAME.py` of the package, or of its folder `NAME/`, counts where a line assigns `attribute`. Raises
    ConfigError for a name that is taken twice.
    """
    found: dict[str, EntryPoint] = {}
    for entry in [*_files(package, attribute, group), *sorted(entry_points(group=group), key=lambda e: e.name)]:
        if entry.name in found and entry.value != found[entry.name].value:
            raise ConfigError(
                f"{entry.value} and {found[entry.name].value} are both called {entry.name!r}; rename one of the two"
            )
        found[entry.name] = entry
    return dict(sorted(found.items()))


def load(entry: EntryPoint) -> Any:
    """What the entry leads to. Raises ConfigError where another package fails to import."""
    try:
        return entry.load()
    except SRGenError:
        raise
    except Exception as error:  # the fault of another package, whatever it is
        raise ConfigError(f"{entry.name} ({entry.value}) cannot be imported: {error}") from error


def _files(package: str, attribute: str, group: str) -> list[EntryPoint]:
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None
    assigned = re.compile(rf"^{attribute}\b[^=\n]*=", re.MULTILINE)
    found = []
    for root in map(Path, spec.submodule_search_locations):
        for path in (*root.glob("*.py"), *root.glob("*/*.py")):
            if assigned.search(path.read_text("utf-8")):
                parts = path.relative_to(root).with_suffix("").parts
                found.append(EntryPoint(parts[0], f"{'.'.join((package, *parts))}:{attribute}", group))
    return found

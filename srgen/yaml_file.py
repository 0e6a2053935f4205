"""YAML files that users write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from srgen.errors import ConfigError


def read_yaml(path: Path, what: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """The content of a file, which sentences call `what`. Raises ConfigError where it cannot be read or is no YAML."""
    try:
        return yaml.load(path.expanduser().read_text(encoding="utf-8"), loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{what} {path} cannot be read: {reason}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error

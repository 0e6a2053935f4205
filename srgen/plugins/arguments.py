"""What a tool's model arguments say: which model, how it is held, and SRGen's parameters."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srgen.config import SRGenConfig, parse_value
from srgen.engines import EngineConfig
from srgen.engines.base import Completion
from srgen.suggest import unknown_name

_ENGINE = {f.name: str(f.type) for f in dataclasses.fields(EngineConfig) if f.name not in ("model_path", "released")}
_SRGEN = tuple(f.name for f in dataclasses.fields(SRGenConfig))


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """The engine to load and what each request carries."""

    engine: EngineConfig
    srgen: SRGenConfig | None
    """None with `use_entropy_control=False`."""
    seed: int


def plugin_settings(model_path: str, arguments: Mapping[str, Any]) -> PluginSettings:
    """Settings from arguments by the names of the evaluators' flags; None leaves a default.

    Raises ConfigError for an unknown name, a wrong type or a value out of range.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    known = {*_ENGINE, *_SRGEN, "use_entropy_control", "seed"}
    for name in given:
        if name not in known:
            raise unknown_name("model argument", name, sorted(known))
    engine = {n: parse_value(n, v, _ENGINE[n].removesuffix(" | None")) for n, v in given.items() if n in _ENGINE}
    srgen = SRGenConfig.from_mapping({name: value for name, value in given.items() if name in _SRGEN})
    on = parse_value("use_entropy_control", given.get("use_entropy_control", True), "bool")
    seed = int(parse_value("seed", given.get("seed", 42), "int"))
    return PluginSettings(EngineConfig(model_path=model_path, **engine), srgen if on else None, seed)


@dataclass(slots=True)
class Seeds:
    """A stream per prompt and repetition: neither the batch nor the order of other prompts decides it."""

    run_seed: int
    _asked: Counter[str] = field(default_factory=Counter)

    def next(self, prompt: str) -> int:
        """The seed of the next sample of this prompt, in [0, 2**63)."""
        index = self._asked[prompt]
        self._asked[prompt] += 1
        digest = hashlib.sha256(f"{self.run_seed}\x1f{prompt}\x1f{index}".encode("utf-8", "backslashreplace")).digest()
        return int.from_bytes(digest[:8], "big") >> 1


def reflection_rows(completion: Completion) -> list[dict[str, Any]]:
    """A completion's reflections as JSON values."""
    return [dataclasses.asdict(reflection) for reflection in completion.reflections]

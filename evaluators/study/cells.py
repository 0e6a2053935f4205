"""One cell of a study: a model, a benchmark and a method, which is one run and one command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluators.benchmarks.benchmark import Benchmark
from evaluators.benchmarks.questions import load_questions, source_of
from evaluators.settings.run_config import RunConfig
from srgen.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A run of a study, by the names that the file gives to its parts."""

    model: str
    benchmark: str
    method: str
    variant: str = ""
    """The last part of the method's name: what a sweep sets for all methods alike."""
    family: Benchmark
    values: Mapping[str, Any]
    """What the study sets, by flag."""
    config: RunConfig

    @property
    def name(self) -> str:
        """`<model>/<benchmark>/<method>`, unique within the study."""
        return f"{self.model}/{self.benchmark}/{self.method}"

    @property
    def arguments(self) -> list[str]:
        """The flags of the command that makes this run alone."""
        return [text for name, value in self.values.items() for text in _flag(name, value)]

    @property
    def command(self) -> str:
        """That command, for a shell."""
        return shlex.join(["python", "-m", "evaluators", self.family.name, *self.arguments])

    @property
    def questions(self) -> int | None:
        """How many questions are asked, as far as this machine knows without asking a hub."""
        data = self.config.data
        source = source_of(self.family, data.version)
        if source is not None and data.dataset_path is None:
            same = data.split in (None, source.split)
            return min(source.questions, data.eval_samples or source.questions) if same else None
        try:
            return len(load_questions(self.family, data, self.config.seed))
        except ConfigError:
            return None


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}={value}"] if str(value).startswith("-") else [f"--{name}", str(value)]

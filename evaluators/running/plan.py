"""What a run is to do, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evaluators.benchmarks.benchmark import Question
from evaluators.records.schema import Sample
from evaluators.running.devices import WorkerPlace
from evaluators.running.workers import EngineFactory
from evaluators.settings.run_config import RunConfig
from srgen.errors import SRGenError

if TYPE_CHECKING:
    # Statistics take seconds to import; a worker, which imports the program that it belongs to, has no use for them.
    from evaluators.analysis.summary_rows import Summary

EngineChoice = Callable[[WorkerPlace], EngineFactory]
"""What a worker at a place builds its engine with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """A run that is to be made, or finished."""

    config: RunConfig
    questions: Sequence[Question]
    system_prompt: str | None
    directory: Path
    name: str = ""
    """Sets the run apart from others that are worked on together."""
    resume: bool = True
    """Go on with the samples that the directory holds; otherwise they are an error."""


@dataclass(slots=True)
class Outcome:
    """What became of a run."""

    plan: RunPlan
    complete: bool = False
    """Every sample is in the journal."""
    summary: Summary | None = None
    """Of what the journal holds."""
    failure: SRGenError | None = None
    """Why the run could not be worked on, or not to its end."""
    failed: list[Sample] = field(default_factory=list)
    """Samples that could not be generated, with the reason."""

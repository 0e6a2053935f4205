"""One training while it runs: what every phase of it needs, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.metrics import MetricsFile
from training.settings import TrainingConfig


@dataclass(frozen=True, slots=True)
class Session:
    """The settings, the base model's tokenizer, and the output folder."""

    settings: TrainingConfig
    tokenizer: Any
    folder: Path

    @property
    def metrics(self) -> MetricsFile:
        """metrics.jsonl, which the main process alone writes."""
        return MetricsFile(self.folder)

    @property
    def warmed_up(self) -> Path:
        """The model after the warm-up; it is there when the warm-up is done."""
        return self.folder / "warmed_up"

    @property
    def trained(self) -> Path:
        """The trained model; it is there when the training is done."""
        return self.folder / "model"

    def checkpoints(self, phase: str) -> Path:
        """Where a phase's trainer keeps its checkpoints."""
        return self.folder / "checkpoints" / phase

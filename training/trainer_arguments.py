"""What both phases share: arguments of transformers' Trainer, the callback that keeps metrics, and how it is run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import PrinterCallback, TrainerCallback

from training.checkpoints import last_checkpoint
from training.metrics import MetricsFile, step_row
from training.model import computes_in_bfloat16
from training.session import Session
from training.settings import TrainingConfig


def shared_arguments(settings: TrainingConfig, folder: Path) -> dict[str, Any]:
    """Arguments that do not depend on the phase; TRL's own defaults (bf16, logging every 10 steps) are for GPUs."""
    return {
        "output_dir": str(folder),
        "bf16": computes_in_bfloat16() and settings.dtype in ("auto", "bfloat16"),
        "gradient_checkpointing": settings.gradient_checkpointing,
        "logging_steps": 1,
        "save_total_limit": 2,
        "seed": settings.seed,
        "report_to": settings.loggers or "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


class KeepMetrics(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Writes each step's metrics and prints a line, from the main process."""

    def __init__(self, phase: str, file: MetricsFile, line: Callable[[int, int, Mapping[str, float]], str]) -> None:
        self._phase, self._file, self._line = phase, file, line

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Called by the trainer with the metrics of a step; its last log, of the whole training, has no loss."""
        if not state.is_world_process_zero or logs is None or "loss" not in logs:
            return
        row = step_row(logs)
        if not math.isfinite(row["loss"]):
            print(f"warning: the loss of step {state.global_step} is {row['loss']}", flush=True)
        self._file.add(self._phase, step=state.global_step, **row)
        print(self._line(state.global_step, state.max_steps, row), flush=True)


def run_phase(trainer: Any, session: Session, phase: str) -> None:
    """Train, from the phase's last checkpoint if there is one; the metrics go on where it was written.

    transformers' own printing of each step's metrics, of which there are dozens, is left out.
    """
    trainer.remove_callback(PrinterCallback)
    found = last_checkpoint(session.checkpoints(phase))
    if PartialState().is_main_process:
        session.metrics.resume(phase, found[1] if found else 0)
    trainer.train(resume_from_checkpoint=str(found[0]) if found else None)

"""The metrics of a training: one JSON object per line of metrics.jsonl, and a line on the terminal for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BASE, WARM_UP, WARMED_UP, GRPO, TRAINED = "base", "warm_up", "warmed_up", "grpo", "trained"
"""Phases in their order: the format of the base model, the warm-up's steps, the format after it, GRPO's steps, the
format after it."""
FILE = "metrics.jsonl"
STEP_METRICS = {
    "rewards/format_part/mean": "format_reward",
    "rewards/accuracy_part/mean": "accuracy",
    "rewards/refine_part/mean": "refine_reward",
    "reward": "reward",
    "reward_std": "reward_std",
    "frac_reward_zero_std": "groups_without_spread",
    "format_rate": "format_rate",
    "refine_rate": "refine_rate",
    "baseline_accuracy": "baseline_accuracy",
    "completions/mean_length": "tokens",
    "completions/clipped_ratio": "cut_off",
    "kl": "kl",
    "loss": "loss",
    "step_time": "seconds",
}
"""TRL's names of a step's metrics, and ours."""


class MetricsFile:
    """Appends to the file of a training, from one process."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def rows(self) -> list[dict[str, Any]]:
        """What is written so far; a line that was torn by a kill is left out."""
        found = []
        for line in self.path.read_text("utf-8").splitlines() if self.path.exists() else []:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return found

    def has(self, phase: str) -> bool:
        """Whether that phase has written anything."""
        return any(row["phase"] == phase for row in self.rows())

    def add(self, phase: str, **values: Any) -> None:
        """Write a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"phase": phase, **values}) + "\n")

    def resume(self, phase: str, step: int) -> None:
        """Forget the phase's steps after a checkpoint, which are done again, and any torn line."""
        kept = [row for row in self.rows() if row["phase"] != phase or row["step"] <= step]
        partial = self.path.with_name(f"{FILE}.partial")
        partial.write_text("".join(json.dumps(row) + "\n" for row in kept), "utf-8")
        partial.replace(self.path)


def step_row(logs: Mapping[str, Any]) -> dict[str, float]:
    """What a step's log of TRL says, under our names."""
    row = {ours: logs[theirs] for theirs, ours in STEP_METRICS.items() if logs.get(theirs) is not None}
    if "groups_without_spread" in row:
        row["groups_with_spread"] = 1 - row.pop("groups_without_spread")
    return {name: round(value, 6) for name, value in row.items()}


def warm_up_line(step: int, steps: int, row: Mapping[str, float]) -> str:
    """A step of the warm-up for the terminal."""
    return f"warm-up {step:>4}/{steps}  loss {row['loss']:.3f}"


def grpo_line(step: int, steps: int, row: Mapping[str, float]) -> str:
    """A step of GRPO for the terminal."""
    shares = {
        "format": row["format_rate"],
        "accuracy": row["accuracy"],
        "plain": row["baseline_accuracy"],
        "refined": row["refine_rate"],
        "spread": row["groups_with_spread"],
    }
    percent = "  ".join(f"{name} {100 * share:3.0f} %" for name, share in shares.items())
    return f"grpo {step:>4}/{steps}  reward {row['reward']:+.2f}  {percent}  tokens {row['tokens']:.0f}"


def summary(rows: list[dict[str, Any]]) -> str:
    """What a finished training did to the format, and how many groups had something to learn from."""
    counted = [row for row in rows if "samples" in row]
    rates = [f"{row['phase'].replace('_', ' ')} {row['well_formed']}/{row['samples']}" for row in counted]
    steps = [row for row in rows if row["phase"] == GRPO]
    text = f"well-formed responses: {', '.join(rates)}"
    if steps:
        spread = sum(row["groups_with_spread"] for row in steps) / len(steps)
        text += f"; {len(steps)} steps of GRPO, rewards differed in {100 * spread:.0f} % of the groups"
    return text

"""Which questions a run asks, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evaluators.benchmarks.benchmark import AnswerFormat

PromptRole = Literal["system", "user"]
PromptStyle = Literal["chat", "raw", "fewshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Which questions. Decides what is generated."""

    benchmark: str
    version: str | None = None
    dataset_path: str | None = None
    """Local file or folder to load instead of the hub's dataset."""
    questions: str | None = None
    """Hash of the questions in `dataset_path`, before any subset is drawn; found when a run begins, never set."""
    split: str | None = None
    eval_samples: int | None = None
    """Random subset of that many questions, drawn with the run's seed; None takes all."""
    system_prompt: str | None = None
    """The instruction that goes with every question; None or empty for none."""
    prompt_role: PromptRole = "system"
    """Whose turn the instruction is in: its own system message, or the user's, after the question."""
    prompt_style: PromptStyle = "chat"
    """A chat through the model's template; for base models the bare text, or the text after worked examples."""
    few_shot: str | None = None
    """File of worked examples, with the style `fewshot`."""
    examples: str | None = None
    """The examples in `few_shot` as they are asked; found when a run begins, never set."""
    prefix: str = ""
    """Forced beginning of every answer."""
    answer_format: AnswerFormat = "free"
    """How answers are asked for, unless `system_prompt` says otherwise, and where they are looked for."""

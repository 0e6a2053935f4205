"""The instruction that goes with a question, and where in the chat it stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from evaluators.benchmarks.benchmark import Question
from evaluators.benchmarks.data_config import PromptRole

REASON_AND_BOX = r"Please reason step by step, and put your final answer within \boxed{}."
"""What Qwen2.5-Math, DeepSeek-R1 and MathArena ask with."""


def place_instruction(
    questions: Sequence[Question], instruction: str | None, role: PromptRole
) -> tuple[list[Question], str | None]:
    """Questions as they are asked, and the system prompt: with role `user`, the instruction follows each question.

    DeepSeek-R1 and its distillations were trained without a system prompt and are asked in the user's turn.
    """
    if not instruction or role == "system":
        return list(questions), instruction or None
    return [dataclasses.replace(q, prompt=f"{q.prompt}\n\n{instruction}") for q in questions], None

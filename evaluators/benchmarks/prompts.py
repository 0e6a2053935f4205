"""How a question is asked: the instruction that goes with it, and the chat or bare text that both are in."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.benchmarks.benchmark import AnswerFormat, Benchmark, Question
from evaluators.benchmarks.data_config import DataConfig, PromptRole
from evaluators.benchmarks.few_shot import QUESTION, asked_after
from evaluators.benchmarks.wordings import reworded
from srgen.engines.base import Message

REASON_AND_BOX = r"Please reason step by step, and put your final answer within \boxed{}."
"""What Qwen2.5-Math, DeepSeek-R1 and MathArena ask with."""

TAGS = (
    "Think inside <think> </think>, then give only the final answer inside <answer> </answer>. "
    "While you think, you may stop to check or improve a step inside <refine> </refine>, as often as needed."
)
"""What `--answer_format tags` asks with, and what training.pasr trains on."""
TAGS_CHOICE = f"{TAGS} The final answer is the letter of the right choice."


def default_instruction(benchmark: Benchmark, answer_format: AnswerFormat) -> str:
    """What a run asks with where its settings do not say."""
    if answer_format == "tags":
        return TAGS_CHOICE if benchmark.kind == "choice" else TAGS
    return benchmark.system_prompt


def place_instruction(
    questions: Sequence[Question], instruction: str | None, role: PromptRole
) -> tuple[list[Question], str | None]:
    """Questions as they are asked, and the system prompt: with role `user`, the instruction follows each question.

    DeepSeek-R1 and its distillations were trained without a system prompt and are asked in the user's turn.
    """
    if not instruction or role == "system":
        return list(questions), instruction or None
    after = f"\n\n{instruction}"
    # The questions of an earlier run have it already.
    return [reworded(question, lambda text: text.removesuffix(after) + after) for question in questions], None


def prompt_of(question: str, system_prompt: str | None, data: DataConfig) -> str | tuple[Message, ...]:
    """What an engine is given: a chat, or for base models bare text."""
    if data.prompt_style == "chat":
        system = (Message("system", system_prompt),) if system_prompt else ()
        return (*system, Message("user", question))
    instruction = f"{system_prompt}\n\n" if system_prompt else ""
    if data.prompt_style == "raw":
        return f"{instruction}{question}\n\n"
    return instruction + asked_after(data.examples or "", question)


def stops_of(data: DataConfig, stop: tuple[str, ...]) -> tuple[str, ...]:
    """The stop strings: after examples, a base model would go on with a question of its own."""
    return (*stop, f"\n{QUESTION}") if data.prompt_style == "fewshot" else stop

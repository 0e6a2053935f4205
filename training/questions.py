"""What is trained on: questions with their answers, as the two prompts that a model is asked them with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluators.benchmarks.benchmark import Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.questions import load_questions
from evaluators.benchmarks.registry import benchmark_named, benchmarks
from srgen.chat import fold_system
from srgen.engines.base import Message
from srgen.errors import ConfigError
from srgen.suggest import unknown_name
from training.arithmetic import problems
from training.settings import ARITHMETIC, TrainingConfig

ARITHMETIC_QUESTIONS = 1000
Prompt = str | list[dict[str, str]]
"""Plain text, or a chat for the model's template."""


def read_questions(settings: TrainingConfig) -> list[Question]:
    """The questions of a training. Raises ConfigError where they cannot be had."""
    if settings.benchmark == ARITHMETIC:
        count = settings.questions or ARITHMETIC_QUESTIONS
        # The first ones are the warm-up's.
        drawn = problems(settings.warm_up_examples + count, settings.seed)[settings.warm_up_examples :]
        return [
            Question(id=f"arithmetic-{i}", prompt=problem.text, gold=str(problem.answer), kind="numeric")
            for i, problem in enumerate(drawn)
        ]
    known = [*benchmarks(), ARITHMETIC]
    if settings.benchmark not in known:
        raise unknown_name("benchmark", settings.benchmark, known)
    data = DataConfig(
        benchmark=settings.benchmark,
        dataset_path=settings.dataset_path,
        split=settings.split,
        eval_samples=settings.questions,
    )
    return load_questions(benchmark_named(settings.benchmark), data, settings.seed)


def prompt_of(tokenizer: Any, question: str, instruction: str) -> Prompt:
    """The question with an instruction before it: a chat where the tokenizer has a template for it, else text.

    An instruction goes into the user's turn where the template takes no system turn.
    """
    system = [Message("system", instruction)] if instruction else []
    messages = [*system, Message("user", question)]
    if not tokenizer.chat_template:
        return "".join(f"{message.content}\n\n" for message in messages)
    try:
        rendered(tokenizer, turns := _turns(messages))
    except Exception:  # templates refuse a system turn in words of their own
        return _turns(fold_system(messages))
    return turns


def rendered(tokenizer: Any, prompt: Prompt) -> str:
    """The text that a model reads, up to where its response begins."""
    if isinstance(prompt, str):
        return prompt
    return str(tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True))


def check_tags(tokenizer: Any) -> None:
    """Raise ConfigError for a tokenizer that drops the tags where its responses are read."""
    tags = "<think>a<refine>b</refine></think><answer>c</answer>"
    kept = tokenizer.decode(tokenizer(tags, add_special_tokens=False)["input_ids"], skip_special_tokens=True)
    if "".join(kept.split()) != tags:
        raise ConfigError(f"this model's tokenizer does not keep the tags: it reads {tags} back as {kept!r}")


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]

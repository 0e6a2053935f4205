"""The warm-up: supervised steps on worked examples in the tags, which a model does not emit by itself."""

from __future__ import annotations

import math
from typing import Any

from training.arithmetic import examples
from training.metrics import WARM_UP, warm_up_line
from training.model import adapters, load_model, save_trained
from training.questions import prompt_of
from training.session import Session
from training.settings import TrainingConfig


def warm_up(session: Session, model_path: str) -> None:
    """Train on the examples, from the last checkpoint if there is one, and write the model that this makes."""
    from accelerate import PartialState
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from training.trainer_arguments import KeepMetrics, run_phase, shared_arguments

    settings = session.settings
    at_once = settings.warm_up_batch_size * PartialState().num_processes
    arguments = SFTConfig(
        **shared_arguments(settings, session.checkpoints(WARM_UP)),
        num_train_epochs=settings.warm_up_epochs,
        per_device_train_batch_size=settings.warm_up_batch_size,
        learning_rate=settings.warm_up_learning_rate,
        lr_scheduler_type="linear",
        save_strategy="steps",
        save_steps=min(settings.save_steps, math.ceil(settings.warm_up_examples / at_once)),
        max_length=None,
        completion_only_loss=True,
    )
    trainer = SFTTrainer(
        model=load_model(model_path, settings),
        args=arguments,
        train_dataset=Dataset.from_list(rows(session.tokenizer, settings)),
        processing_class=session.tokenizer,
        peft_config=adapters(settings),
        callbacks=[KeepMetrics(WARM_UP, session.metrics, warm_up_line)],
    )
    run_phase(trainer, session, WARM_UP)
    save_trained(trainer, session, model_path, session.warmed_up)


def rows(tokenizer: Any, settings: TrainingConfig) -> list[dict[str, Any]]:
    """The examples as TRL takes them: a prompt and its completion, both turns of a chat or both text."""
    found = []
    for example in examples(settings.warm_up_examples, settings.seed):
        prompt = prompt_of(tokenizer, example.problem, settings.refine_prompt)
        chat = not isinstance(prompt, str)
        completion = [{"role": "assistant", "content": example.response}] if chat else example.response
        found.append({"prompt": prompt, "completion": completion})
    return found

"""GRPO with PASR's reward, on TRL's trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from evaluators.benchmarks.benchmark import AnswerFormat, Question
from evaluators.grading import GradingPool
from evaluators.grading.answer.tags import opening, parse
from training.metrics import GRPO, grpo_line
from training.model import adapters, load_model, save_trained
from training.questions import Prompt, prompt_of, rendered
from training.reward import Reward, reward_of
from training.session import Session
from training.settings import TrainingConfig
from training.trainer_arguments import KeepMetrics, run_phase, shared_arguments
from training.vllm_mode import vllm_arguments


def train(session: Session, model_path: str, questions: Sequence[Question]) -> None:
    """Train by GRPO, from the last checkpoint if there is one, and write the model that this makes."""
    settings = session.settings
    with GradingPool() as pool:
        trainer = PasrTrainer(
            pool=pool,
            zeta=settings.zeta,
            baseline_samples=settings.baseline_samples,
            model=load_model(model_path, settings),
            args=GRPOConfig(**arguments(settings, session.checkpoints(GRPO))),
            train_dataset=Dataset.from_list([_row(session, question) for question in questions]),
            processing_class=session.tokenizer,
            peft_config=adapters(settings),
            callbacks=[KeepMetrics(GRPO, session.metrics, grpo_line)],
        )
        run_phase(trainer, session, GRPO)
        save_trained(trainer, session, model_path, session.trained)


def arguments(settings: TrainingConfig, folder: Path) -> dict[str, Any]:
    """GRPO as PASR has it; where TRL's defaults are others (its loss, beta, the KL's correction), they are set."""
    return {
        **shared_arguments(settings, folder),
        **vllm_arguments(settings),
        "max_steps": settings.steps,
        "per_device_train_batch_size": settings.train_batch_size,
        "gradient_accumulation_steps": settings.accumulation(PartialState().num_processes),
        "num_generations": settings.group_size,
        "max_completion_length": settings.max_new_tokens,
        "temperature": settings.temperature,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant",
        "beta": settings.beta,
        "epsilon": settings.clip,
        "loss_type": "grpo",
        "scale_rewards": "group",
        "use_bias_correction_kl": False,
        "save_strategy": "steps",
        "save_steps": settings.save_steps,
    }


class PasrTrainer(GRPOTrainer):  # type: ignore[misc]  # TRL is not typed
    """GRPOTrainer that samples each group's question once more with the plain prompt, from the model as it is now.

    Each row of a batch has its question's `gold` and `kind`, its `plain_prompt`, and as `opening` what its prompt holds
    of the model's turn; the trainer adds its `reward`, whose parts are TRL's three reward functions.
    """

    def __init__(self, *, pool: GradingPool, zeta: float, baseline_samples: int, **options: Any) -> None:
        super().__init__(reward_funcs=[format_part, accuracy_part, refine_part], **options)
        self._pool, self._zeta = pool, zeta
        self._samples_per_row = baseline_samples // self.num_generations

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: list[Any], completions: list[Any], completion_ids_list: list[Any]
    ) -> Any:
        responses = [row["opening"] + text for row, text in zip(inputs, self._texts(completion_ids_list), strict=True)]
        correct = self._grades(responses, inputs, [None] * len(responses), "tags")
        baselines = self._baselines(inputs)
        for row, response, right, baseline in zip(inputs, responses, correct, baselines, strict=True):
            row["reward"] = reward_of(response, right, baseline, self._zeta)
            tagged = parse(response)
            self._log_metric("format_rate", float(tagged.well_formed))
            self._log_metric("refine_rate", float(bool(tagged.refines)))
            self._log_metric("baseline_accuracy", baseline)
        return super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)

    def _baselines(self, inputs: Sequence[Mapping[str, Any]]) -> list[float]:
        """Each row's mean accuracy of its question by plain samples, which its group, on all devices, draws once."""
        rows = [row for row in inputs for _ in range(self._samples_per_row)]
        ids, images, fields = self._tokenize_prompts([row["plain_prompt"] for row in rows])
        in_group = self.num_generations * self._samples_per_row
        tokens, _ = self._generate_single_turn(ids, images, fields, in_group)
        finished = ["stop" if sample and sample[-1] in self.eos_token_ids else "length" for sample in tokens]
        said = [_plain_answer(text) for text in self._texts(tokens)]
        correct = torch.tensor(self._grades(said, rows, finished), dtype=torch.float32, device=self.accelerator.device)
        by_group = gather(correct).view(-1, in_group).mean(dim=1).repeat_interleave(self.num_generations)
        first = self.accelerator.process_index * len(inputs)
        means: list[float] = by_group[first : first + len(inputs)].tolist()
        return means

    def _texts(self, tokens: Sequence[Any]) -> list[str]:
        texts: list[str] = self.processing_class.batch_decode(tokens, skip_special_tokens=True)
        return texts

    def _grades(
        self,
        said: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        finished: Sequence[str | None],
        answer_format: AnswerFormat = "free",
    ) -> list[bool]:
        verdicts = [
            self._pool.submit(text, row["gold"], row["kind"], reason, answer_format)
            for text, row, reason in zip(said, rows, finished, strict=True)
        ]
        return [verdict.result().status == "correct" for verdict in verdicts]


def _plain_answer(text: str) -> str:
    """What of a plain sample is graded: the model may use its tags here too, and is then taken at their word."""
    return parse(text).answer or text


def format_part(reward: Sequence[Reward], **_: Any) -> list[float]:
    """A reward function of TRL, given a column of the rows; its metrics have its name."""
    return [each.format for each in reward]


def accuracy_part(reward: Sequence[Reward], **_: Any) -> list[float]:
    """The same for the answers."""
    return [each.accuracy for each in reward]


def refine_part(reward: Sequence[Reward], **_: Any) -> list[float]:
    """The same for the refining."""
    return [each.refine for each in reward]


def _row(session: Session, question: Question) -> dict[str, Any]:
    """A question as TRL takes it, with what its rewards need."""
    tokenizer, settings = session.tokenizer, session.settings
    prompt: Prompt = prompt_of(tokenizer, question.prompt, settings.refine_prompt)
    return {
        "prompt": prompt,
        "plain_prompt": prompt_of(tokenizer, question.prompt, settings.plain_prompt),
        "opening": opening(rendered(tokenizer, prompt)),
        "gold": question.gold,
        "kind": question.kind,
    }

"""The samples of a run as tasks of the scheduler, requests to the engine, and lines of the journal."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Set

from evaluators.benchmarks.benchmark import Question
from evaluators.benchmarks.prompts import prompt_of, stops_of
from evaluators.grading import Verdict
from evaluators.grading.answer.tags import token_counts
from evaluators.records.reading import SampleKey
from evaluators.records.schema import Sample, before_response
from evaluators.running.dispatcher import Finished
from evaluators.running.plan import RunPlan
from evaluators.running.workers import Done
from evaluators.settings.run_config import sample_seed
from srgen.engines.base import Completion, Request


def by_rounds(tasks: Iterable[str]) -> list[str]:
    """The first sample of every question of all runs, then the second, ..."""
    return sorted(tasks, key=lambda task: int(task.rpartition("/")[2]))


class Tasks:
    """The samples of a run by the name that the scheduler knows them by, `[<run>:]<question id>/<sample>`."""

    def __init__(self, plan: RunPlan) -> None:
        self._config = plan.config
        self._questions = {question.id: question for question in plan.questions}
        self._system_prompt = plan.system_prompt
        self._prefix = f"{plan.name}:" if plan.name else ""

    def owed(self, done: Set[SampleKey]) -> list[str]:
        """Those that are not done: the first sample of every question, then the second, ..."""
        keys = ((question, sample) for sample in range(self._config.average) for question in self._questions)
        return [f"{self._prefix}{question}/{sample}" for question, sample in keys if (question, sample) not in done]

    def question(self, task: str) -> Question:
        """The question that a task asks, as it asks it."""
        question_id, sample = self._key(task)
        return self._questions[question_id].as_asked(sample)

    def request(self, task: str) -> Request:
        """What the engine is asked."""
        data = self._config.data
        return Request(
            id=task,
            prompt=prompt_of(self.question(task).prompt, self._system_prompt, data),
            template_arguments=self._config.model.chat_template_kwargs,
            prefix=data.prefix,
            sampling=dataclasses.replace(self._config.sampling, stop=stops_of(data, self._config.sampling.stop)),
            seed=self._seed(task),
            srgen=self._config.srgen,
            methods=self._config.methods,
            record_entropy=self._config.record_entropy,
            record_signals=self._config.execution.record_signals,
            record_tokens=self._in_tags and self._config.model.backend != "openai",
        )

    def sample(self, finished: Finished, verdict: Verdict | None) -> Sample:
        """The line of the journal for a finished task; without a verdict it has failed."""
        completion = finished.done.completion if finished.done else None
        question_id, index = self._key(finished.task)
        return Sample(
            question_id=question_id,
            sample=index,
            seed=self._seed(finished.task),
            prompt_tokens=completion.prompt_tokens if completion else 0,
            response=completion.text if completion else "",
            answer=verdict.answer if verdict else None,
            status=verdict.status if verdict else "failed",
            correct=verdict is not None and verdict.status == "correct",
            generated_tokens=len(completion.token_ids) if completion else 0,
            finish_reason=completion.finish_reason if completion else "error",
            reflections=len(completion.reflections) if completion else 0,
            seconds=round(completion.seconds, 3) if completion else 0.0,
            worker=finished.worker,
            error=completion.error if completion else finished.error,
            methods=_reports(completion) if completion else None,
            reasoning=completion.reasoning if completion else None,
            reader=verdict.reader if verdict else None,
            opening=(completion.opening or None) if completion and self._in_tags else None,
            tag_tokens=self._tag_tokens(finished.done),
        )

    @property
    def _in_tags(self) -> bool:
        return self._config.data.answer_format == "tags"

    def _tag_tokens(self, done: Done | None) -> dict[str, int] | None:
        if done is None or not self._in_tags or not done.tokens:
            return None
        before = before_response(done.completion.opening, done.completion.reasoning)
        return token_counts(done.tokens, before + self._config.data.prefix)

    def _seed(self, task: str) -> int:
        return sample_seed(self._config.seed, *self._key(task))

    def _key(self, task: str) -> SampleKey:
        question, _, sample = task.removeprefix(self._prefix).rpartition("/")
        return question, int(sample)


def _reports(completion: Completion) -> dict[str, dict[str, float]] | None:
    """What the methods say of a sample, as JSON takes it; a number that is none says nothing."""
    found = {
        name: {key: value for key, value in report.items() if math.isfinite(value)}
        for name, report in completion.reports.items()
    }
    return found or None

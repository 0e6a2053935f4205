"""The schema on disk: one line of samples.jsonl, and the names of a run's files."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Self

from evaluators.benchmarks.benchmark import AnswerFormat

Status = Literal["correct", "incorrect", "no_answer", "timeout", "failed"]
"""The verdict on a sample; only `correct` counts. `timeout`: the grader was stopped; `failed`: it was not generated."""
Reader = Literal["exact", "symbolic", "neither"]
"""Who decided on an answer; what neither reader could decide counts as wrong."""

CONFIG_FILE = "config.yaml"
QUESTIONS_JSONL = "questions.jsonl"
SAMPLES_FILE = "samples.jsonl"
REFLECTIONS_FILE = "reflections.jsonl"
ENTROPIES_FILE = "entropies.jsonl"
SIGNALS_FILE = "signals.f16"
QUESTIONS_CSV = "questions.csv"
SUMMARY_CSV = "summary.csv"
CHOOSERS_CSV = "choosers.csv"
CAMPAIGN_FILE = "campaign.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One graded sample: a line of samples.jsonl."""

    question_id: str
    sample: int
    """Index of the sample among those of its question, from 0."""
    seed: int
    """Seed of the sample's random stream."""
    prompt_tokens: int
    response: str
    answer: str | None
    """The extracted answer; None where the response has none."""
    status: Status
    correct: bool
    generated_tokens: int
    finish_reason: Literal["stop", "length", "error"]
    reflections: int
    seconds: float
    worker: str
    """The worker that generated it, e.g. `cuda:0` or `cpu:1`."""
    error: str | None = None
    methods: dict[str, dict[str, float]] | None = None
    """What the run's methods report of the sample, by the method's name; None where there is nothing."""
    reasoning: str | None = None
    """The thoughts, where an endpoint gives them apart from the response; left out where it does not."""
    reader: Reader | None = None
    """Which of the grader's readers decided; None where there was nothing to decide, and in runs of before."""
    signals: int | None = None
    """First of the sample's rows in signals.f16, of which it has one per token; None where it has none."""
    confidence: dict[str, float] | None = None
    """A summary of them: evaluators.records.signals.summarised."""

    opening: str | None = None
    """With tags: what the prompt's end had written of the thinking; left out without tags and where it had not."""
    tag_tokens: dict[str, int] | None = None
    """Tokens in the thinking, its refine passages and the answer; left out without tags and where nobody knows them."""

    @property
    def before(self) -> str:
        """What stands before the response when its tags are read."""
        return before_response(self.opening or "", self.reasoning)

    def to_json(self) -> dict[str, Any]:
        """The sample as a JSON object."""
        row = {name: getattr(self, name) for name in _NAMES}
        for name in _LEFT_OUT:
            if row[name] is None:
                del row[name]
        return row

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Self:
        """Read a line of samples.jsonl. Raises TypeError when fields are missing or unknown."""
        lacking = [name for name in _NEEDED if name not in line]
        unknown = line.keys() - set(_NAMES)
        if lacking or unknown:
            told = [f"has no {', '.join(lacking)}"] if lacking else []
            told += [f"has {', '.join(sorted(unknown))}, which no sample has"] if unknown else []
            raise TypeError(f"a line {' and '.join(told)}")
        return cls(**line)


def before_response(opening: str, reasoning: str | None) -> str:
    """What stands before a response when its tags are read: thoughts that came apart from it, or were opened before."""
    return opening if reasoning is None else f"<think>{reasoning}</think>"


def graded_text(response: str, opening: str | None, reasoning: str | None, answer_format: AnswerFormat) -> str:
    """The text that the grader is given: with tags, after what stands before the response."""
    return response if answer_format == "free" else before_response(opening or "", reasoning) + response


_LEFT_OUT = ("reasoning", "opening", "tag_tokens")
"""Fields that a line does not have where they are None."""
_NAMES = tuple(field.name for field in dataclasses.fields(Sample))
_NEEDED = tuple(field.name for field in dataclasses.fields(Sample) if field.default is dataclasses.MISSING)

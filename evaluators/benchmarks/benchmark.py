"""The vocabulary of a benchmark: its questions and what is particular to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

AnswerKind = Literal["integer", "numeric", "latex", "choice"]
"""How answers are extracted and compared: AIME | GSM8K | MATH, HMMT, AMC | GPQA."""

AnswerFormat = Literal["free", "tags"]
"""Where an answer is looked for: as the benchmark's instruction has it, or in tags (grading.answer.tags)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One benchmark question, ready to be asked."""

    id: str
    """Unique within its benchmark and version, stable between runs."""
    prompt: str
    """The user's turn, exactly as the model sees it (before the chat template)."""
    gold: str
    """The reference answer as the dataset gives it (a letter for `choice`)."""
    kind: AnswerKind
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the dataset says besides (subject, level, the options' order, ...); JSON values only.

    `choices`: the texts behind the letters of a choice. `wordings`: where the dataset repeats the question in several
    (its choices in another order, say), the `prompt`, `gold` and `choices` of each.
    """

    @property
    def wordings(self) -> int:
        """In how many wordings its samples ask it in turn: sample i in that of number i modulo this."""
        return len(self.metadata.get("wordings") or ("the only one",))

    def as_asked(self, sample: int) -> Question:
        """The question as that sample asks it, with the gold answer that this has."""
        if self.wordings == 1:
            return self
        wording = self.metadata["wordings"][sample % self.wordings]
        rest = {name: value for name, value in self.metadata.items() if name != "wordings"}
        return replace(
            self,
            prompt=wording["prompt"],
            gold=wording["gold"],
            metadata={**rest, "choices": wording["choices"]},
        )


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one version of a benchmark lives on the hub."""

    repository: str
    split: str
    questions: int
    """Expected number of questions; another count is a warning."""
    config: str | None = None
    revision: str | None = None
    content: str | None = None
    """Hash of its questions (`own_questions.content_of`); None where no copy was at hand to take it from."""
    answers: str | None = None
    """Hash of its answers (`own_questions.answers_of`), where public copies word the questions differently."""
    gated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What is particular to one benchmark family."""

    name: str
    title: str
    kind: AnswerKind
    versions: Mapping[str, Source]
    """By version name; the first one is the default. Empty for a benchmark that is embedded in the project."""
    embedded: str | None = None
    """File of questions of a benchmark without versions: a name in evaluators/benchmarks/data, or a path."""
    content: str | None = None
    """Hash of the embedded questions, as in `Source`."""
    system_prompt: str
    """Default system prompt."""
    parse_row: Callable[[Row, int, int], Question]
    """(row, its index, the run's seed) -> question; raises KeyError naming a field that the row lacks, ValueError for
    an answer that cannot be one."""
    combine: Callable[[list[Question]], list[Question]] = list
    """The questions of all rows -> the questions, each once; without repetitions they stay as they are."""
    max_new_tokens: int = 4096
    """Default token budget of a sample."""
    command: str | None = None
    """What follows `python -m evaluators` to run it, where that is not its name."""

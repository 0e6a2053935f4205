"""A source's generations as an ordinary run folder: matched, graded and written, all or nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from evaluators.analysis.summary import summarise_run
from evaluators.analysis.summary_rows import Summary
from evaluators.benchmarks.benchmark import AnswerFormat, Question
from evaluators.exchange.folders import folder_for
from evaluators.exchange.generation import Generation, Source
from evaluators.exchange.golds import GoldCheck
from evaluators.exchange.matching import Matcher
from evaluators.grading import GradingPool, Verdict
from evaluators.records.provenance import question_row
from evaluators.records.reading import TIMING_FILE, Run, SampleKey, read_run
from evaluators.records.schema import CONFIG_FILE, QUESTIONS_JSONL, SAMPLES_FILE, Sample, graded_text
from evaluators.records.source_verdicts import SOURCE_VERDICTS, SourceVerdict
from srgen.errors import ConfigError, SRGenError

_IN_GRADING = 2000
"""Responses that wait for their verdicts at most; what is graded is on disk."""
_Waiting = tuple[Generation, SampleKey, Future[Verdict] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What a user decides of an import."""

    average: int | None = None
    """K; None takes the largest number of samples that a question has."""
    first_sample: int = 0
    """The index that the source gives a question's first sample."""
    skip_unknown: bool = False
    """Leave out generations that match no question, instead of refusing them."""
    only_answered: bool = False
    """Leave out the questions that the source does not answer, instead of counting them as missing."""
    answer_format: AnswerFormat = "free"
    """Where answers are looked for."""


@dataclass(slots=True)
class Tally:
    """What became of the source's generations."""

    taken: dict[SampleKey, str] = field(default_factory=dict)
    """Where each sample that was taken stands in the source."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Generations by the question that none of the benchmark's matches."""
    beyond: int = 0
    """Samples whose index is not below K."""
    without_tokens: int = 0
    without_reason: int = 0
    tagged: int = 0
    """Responses with an answer in tags that nobody looked for."""

    def per_question(self) -> Counter[str]:
        """Samples taken of each question."""
        return Counter(question for question, _ in self.taken)


@contextmanager
def whole_folder(directory: Path) -> Iterator[Path]:
    """A new folder beside `directory` that takes its name when all went well, and is removed when not.

    Raises ConfigError where the directory exists.
    """
    if directory.exists():
        raise ConfigError(f"{directory} exists; choose another --run_name, or delete it")
    with folder_for(directory.parent):
        partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        try:
            yield partial
            partial.chmod(0o755)
            partial.rename(directory)
        except BaseException:
            shutil.rmtree(partial)
            raise


class ImportedRun:
    """Writes one source's run into a folder."""

    def __init__(
        self, source: Source, questions: Sequence[Question], matcher: Matcher, pool: GradingPool, options: ImportOptions
    ) -> None:
        self._source = source
        self.questions = questions
        """The benchmark's."""
        self._matcher = matcher
        self._pool = pool
        self._options = options
        self.answer_format = options.answer_format
        self.golds = GoldCheck(pool)
        self.tally = Tally()
        self.run: Run
        """Once finished, as its folder holds it."""
        self.summary: Summary
        """Once finished."""

    def write_samples(self, folder: Path) -> None:
        """Write samples.jsonl and the source's verdicts, in the source's order.

        Raises SRGenError for a generation that has no question, or a sample that is there twice.
        """
        waiting: deque[_Waiting] = deque()
        with (
            (folder / SAMPLES_FILE).open("w", **_TEXT) as samples,
            (folder / SOURCE_VERDICTS).open("w", **_TEXT) as theirs,
        ):
            for generation in self._source.generations:
                if (question := self._question(generation)) is None:
                    continue
                if (key := self._key(generation, question)) is None:
                    continue
                self.golds.see(generation, question)
                waiting.append((generation, key, self._submit(generation, question.as_asked(key[1]))))
                if len(waiting) >= _IN_GRADING:
                    self._write_some(waiting, _IN_GRADING // 2, samples, theirs)
            self._write_some(waiting, len(waiting), samples, theirs)
        self._refuse_unknown()
        if not self.tally.taken:
            raise SRGenError("nothing was imported: the source has no response to any question of the benchmark")

    def finish(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write everything else: questions, `record` as the configuration, the summary."""
        rows = (json.dumps(question_row(question), ensure_ascii=False) + "\n" for question in self.kept())
        (folder / QUESTIONS_JSONL).write_text("".join(rows), **_ENCODED)
        (folder / CONFIG_FILE).write_text(yaml.safe_dump(record, sort_keys=False, allow_unicode=True), "utf-8")
        if (seconds := self._source.settings.get("wall_seconds")) is not None:
            (folder / TIMING_FILE).write_text(json.dumps({"wall_seconds": seconds, "sessions": 1}), "utf-8")
        if not (folder / SOURCE_VERDICTS).stat().st_size:
            (folder / SOURCE_VERDICTS).unlink()
        self.run = read_run(folder)
        self.summary = summarise_run(self.run, self._pool.classes)

    def kept(self) -> list[Question]:
        """The questions of the run."""
        answered = self.tally.per_question()
        return [q for q in self.questions if not self._options.only_answered or q.id in answered]

    def samples_per_question(self) -> int:
        """K. Raises SRGenError where no question has a sample 0, which means another first index."""
        indices = {index for _, index in self.tally.taken}
        if 0 not in indices:
            raise SRGenError(
                f"the source counts its samples from {min(indices) + self._options.first_sample}: "
                "say so with --first_sample"
            )
        return self._options.average or max(indices) + 1

    def _question(self, generation: Generation) -> Question | None:
        question = self._matcher.question_of(generation)
        if question is None:
            text = " ".join((generation.question or "").split())
            self.tally.unknown[", ".join(generation.keys[:1]) or f"{text[:60]}..."] += 1
        return question

    def _refuse_unknown(self) -> None:
        unknown = self.tally.unknown
        if unknown and not self._options.skip_unknown:
            raise SRGenError(
                f"{len(unknown)} questions of the source are none of the benchmark's: {', '.join(unknown)}; "
                "choose the right --version or --dataset_path, or leave them out with --skip_unknown"
            )

    def _key(self, generation: Generation, question: Question) -> SampleKey | None:
        """The sample's place in the run; None for one beyond K."""
        index = generation.sample
        if index is None:
            index = next(i for i in range(len(self.tally.taken) + 1) if (question.id, i) not in self.tally.taken)
        else:
            index -= self._options.first_sample
        if index < 0:
            raise SRGenError(
                f"{generation.where}: sample {generation.sample} lies before the first, {self._options.first_sample} "
                "(--first_sample)"
            )
        if self._options.average is not None and index >= self._options.average:
            self.tally.beyond += 1
            return None
        key = (question.id, index)
        if key in self.tally.taken:
            raise SRGenError(
                f"two responses for question {question.id}, sample {index}: {self.tally.taken[key]} and "
                f"{generation.where}; keep one of them"
            )
        self.tally.taken[key] = generation.where
        self.tally.without_tokens += generation.tokens is None
        self.tally.without_reason += generation.finish_reason is None
        return key

    def _submit(self, generation: Generation, question: Question) -> Future[Verdict] | None:
        if generation.response is None:
            return None
        reason = generation.finish_reason or "stop"
        own, response = generation.own, generation.response
        self.tally.tagged += self.answer_format == "free" and "</answer>" in response
        text = graded_text(response, own.get("opening"), own.get("reasoning"), self.answer_format)
        return self._pool.submit(text, question.gold, question.kind, reason, self.answer_format)

    def _write_some(self, waiting: deque[_Waiting], count: int, samples: IO[str], theirs: IO[str]) -> None:
        """Write the first `count`, once the last of them is graded: waiting for each would wake for each."""
        if count and (last := waiting[count - 1][2]) is not None:
            last.result()
        for _ in range(count):
            self._write(*waiting.popleft(), samples, theirs)

    def _write(
        self,
        generation: Generation,
        key: SampleKey,
        future: Future[Verdict] | None,
        samples: IO[str],
        theirs: IO[str],
    ) -> None:
        sample = _sample(generation, key, future.result() if future else None)
        samples.write(json.dumps(sample.to_json(), ensure_ascii=False) + "\n")
        if generation.correct is not None:
            verdict = SourceVerdict(generation.correct, generation.answer)
            theirs.write(json.dumps(verdict.row(key), ensure_ascii=False) + "\n")


_ENCODED: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
_TEXT: dict[str, Any] = {**_ENCODED, "newline": "\n"}


def _sample(generation: Generation, key: SampleKey, verdict: Verdict | None) -> Sample:
    """A line of samples.jsonl; without a verdict it was not generated."""
    return Sample(
        question_id=key[0],
        sample=key[1],
        seed=generation.seed,
        prompt_tokens=generation.prompt_tokens,
        response=generation.response or "",
        answer=verdict.answer if verdict else None,
        status=verdict.status if verdict else "failed",
        correct=verdict is not None and verdict.status == "correct",
        reader=verdict.reader if verdict else None,
        generated_tokens=generation.tokens or 0,
        finish_reason=(generation.finish_reason or "stop") if verdict else "error",
        reflections=generation.reflections,
        seconds=generation.seconds,
        worker=generation.worker,
        error=generation.error if verdict else generation.error or "the source has no response",
        **generation.own,
    )

"""Some runs looked at together: their questions, each once, with what every run made of it, and single samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from evaluators.analysis.pairing import Pair, bases, pair_up
from evaluators.analysis.summary_rows import Summary
from evaluators.analysis.wordings import gold_text, text_of
from evaluators.benchmarks.benchmark import Question
from evaluators.presentation.documents.names import method_name, short_names
from evaluators.presentation.documents.progress import progress
from evaluators.presentation.documents.samples import sample_document, tag_parts
from evaluators.presentation.run_table import bounds_line, incomplete, open_counts, tag_lines
from evaluators.records.indexed_run import IndexedRun

TITLE = 140
"""Characters of a question in lists."""


@dataclass(slots=True)
class Entry:
    """One question, and where it stands in the runs that asked it."""

    key: str
    """Its name in addresses, unique among the entries."""
    benchmark: str
    question: Question
    numbers: dict[int, int] = field(default_factory=dict)
    """By run, the question's number in it."""


class Collection:
    """Runs and their summaries; a summary is None where there is none, or the run has grown since it was made."""

    def __init__(self, runs: Sequence[IndexedRun], summaries: Sequence[Summary | None], ids: Sequence[str]) -> None:
        """`ids`: the runs' names in addresses."""
        self.runs, self.summaries, self.ids = runs, summaries, ids
        self.names = short_names([run.run for run in runs])
        self.entries = _entries(runs)

    @cached_property
    def pairs(self) -> dict[tuple[int, int], Pair]:
        """By (base, other), the comparison of every two runs that belong together and have summaries."""
        whole = [(a, b) for a, b in bases([run.run for run in self.runs]) if self.summaries[a] and self.summaries[b]]
        there = [(summary, run.directory) for summary, run in zip(self.summaries, self.runs, strict=True) if summary]
        numbers = [_among(self.summaries, pair) for pair in whole]
        return dict(zip(whole, pair_up([s for s, _ in there], [folder for _, folder in there], numbers), strict=True))

    def contents(self) -> dict[str, Any]:
        """The first page: runs with their rates, and every question's verdicts."""
        return {
            "runs": [self._run(number) for number in range(len(self.runs))],
            "questions": [
                {
                    "key": entry.key,
                    "id": entry.question.id,
                    "benchmark": entry.benchmark,
                    "title": " ".join(entry.question.prompt.split())[:TITLE],
                    "gold": gold_text(entry.question),
                    "verdicts": {run: self.runs[run].journal.letters(q) for run, q in entry.numbers.items()},
                }
                for entry in self.entries
            ],
        }

    def prompts(self) -> list[str]:
        """The questions' texts, in the order of the contents; for searching in them."""
        return [entry.question.prompt for entry in self.entries]

    def question(self, number: int) -> dict[str, Any]:
        """A question's page: its text, and each run's votes and samples without their texts. Raises IndexError."""
        entry = self.entries[number]
        question = entry.question
        return {
            "prompt": question.prompt,
            "gold": gold_text(question),
            "kind": question.kind,
            "runs": {run: self._answers(run, q) for run, q in entry.numbers.items()},
        }

    def sample(self, number: int, run: int, index: int) -> dict[str, Any] | None:
        """A sample's page; None where it was not generated. Raises IndexError, KeyError, SRGenError."""
        found = self.runs[run]
        question = self.entries[number].numbers[run]
        sample = found.sample(question, index)
        if sample is None:
            return None
        key = sample.question_id, sample.sample
        document = sample_document(sample, found.recording(key), found.reflections(key))
        if self.entries[number].question.wordings > 1:
            asked = found.run.questions[question].as_asked(index)
            document["asked"] = {"prompt": asked.prompt, "gold": asked.gold}
        return document | tag_parts(sample) if found.run.answer_format == "tags" else document

    def _run(self, number: int) -> dict[str, Any]:
        indexed, summary = self.runs[number], self.summaries[number]
        run = indexed.run
        about = {
            "id": self.ids[number],
            "name": self.names[number],
            "folder": run.directory.resolve().name,
            "benchmark": run.benchmark,
            "model": run.model,
            "method": method_name(run.method),
            "k": run.samples_per_question,
            "questions": len(run.questions),
            **progress(indexed, summary),
        }
        damaged = indexed.journal.damaged
        notes = [f"line {line} of samples.jsonl is damaged and left out" for line in damaged[:3]]
        if len(damaged) > 3:
            notes.append(f"and {len(damaged) - 3} more lines are damaged")
        if summary is None:
            return about | {"rates": [], "notes": notes}
        if incomplete(summary):
            notes.append(f"{open_counts(summary)}; {bounds_line(summary)}")
        notes += tag_lines(summary)
        return about | {
            "rates": _rates(summary),
            "tokens_per_sample": summary.tokens_per_sample,
            "reflections_per_sample": summary.reflections_per_sample,
            "wall_seconds": summary.wall_seconds,
            "notes": notes,
        }

    def _answers(self, run: int, question: int) -> dict[str, Any]:
        journal = self.runs[run].journal
        texts = list(journal.answers)
        asked = self.runs[run].run.questions[question]
        given = (texts[number] if number >= 0 else None for number in journal.answer[question])
        answers = [text_of(asked, index, answer) for index, answer in enumerate(given)]
        letters = journal.letters(question)
        return {
            "votes": _votes(answers, letters, self._classes(run, question)),
            "samples": [
                {"verdict": letter, "answer": answer, "tokens": int(tokens), "reflections": int(reflections)}
                for letter, answer, tokens, reflections in zip(
                    letters, answers, journal.tokens[question], journal.reflections[question], strict=True
                )
            ],
        }

    def _classes(self, run: int, question: int) -> list[str] | None:
        """The grader's classes of a question's answers; None where only their texts can tell."""
        summary = self.summaries[run]
        if summary is None:
            return None
        row = summary.by_question.iloc[question]
        return str(row["classes"]).split()


def _entries(runs: Sequence[IndexedRun]) -> list[Entry]:
    found: dict[tuple[str, ...], Entry] = {}
    for number, run in enumerate(runs):
        benchmark = run.run.benchmark
        for place, question in enumerate(run.run.questions):
            asked = [question.as_asked(wording) for wording in range(question.wordings)]
            same = benchmark, question.id, *(text for q in asked for text in (q.prompt, q.gold))
            entry = found.setdefault(same, Entry(question.id, benchmark, question))
            entry.numbers[number] = place
    entries = list(found.values())
    ids = Counter(entry.key for entry in entries)
    for number, entry in enumerate(entries):
        if ids[entry.key] > 1:
            entry.key = f"{entry.benchmark}/{entry.key}#{number}"
    return entries


def _votes(answers: Sequence[str | None], letters: str, classes: Sequence[str] | None) -> list[dict[str, Any]]:
    """Answer classes with their votes, most first, each by its first answer; without classes, by the answers' texts."""
    votes: dict[str, dict[str, Any]] = {}
    for index, (answer, letter) in enumerate(zip(answers, letters, strict=True)):
        if answer is None or letter in "mf":
            continue
        group = classes[index] if classes else "0" if letter == "c" else f"text {answer}"
        if group == "-":
            continue
        vote = votes.setdefault(group, {"answer": answer, "count": 0, "right": letter == "c"})
        vote["count"] += 1
    return sorted(votes.values(), key=lambda vote: -vote["count"])


def _rates(summary: Summary) -> list[Mapping[str, Any]]:
    return [
        {"name": f"{name}@{summary.k}", "rate": rate, "low": low, "high": high}
        for name, rate, low, high in (
            ("Avg", summary.avg, summary.avg_low, summary.avg_high),
            ("Cons", summary.cons, summary.cons_low, summary.cons_high),
            ("Pass", summary.pass_, summary.pass_low, summary.pass_high),
        )
    ]


def _among(summaries: Sequence[Summary | None], pair: tuple[int, int]) -> tuple[int, int]:
    """The numbers of two runs among those that have a summary."""
    number = np.cumsum([summary is not None for summary in summaries]) - 1
    return int(number[pair[0]]), int(number[pair[1]])

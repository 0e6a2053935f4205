"""What a run found, from its samples: questions.csv, one row per question, and summary.csv, one row per run."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.analysis import metrics
from evaluators.analysis.bounded_mean import mean_interval
from evaluators.analysis.choices import choices as choices_of
from evaluators.analysis.choices import columns as choice_columns
from evaluators.analysis.choices import curves_table, signals_of
from evaluators.analysis.inference import se_new_questions, se_same_questions
from evaluators.analysis.metrics import RIGHT, SILENT, BoolArray, FloatArray, IntArray
from evaluators.analysis.summary_rows import (
    COUNTS,
    QUESTION_COLUMNS,
    READERS,
    Summary,
    cell_text,
    summary_table,
    to_csv,
)
from evaluators.analysis.tagged import question_counts
from evaluators.analysis.tagged import summarised as tags_summarised
from evaluators.analysis.wordings import gold_text, in_texts, same_texts
from evaluators.benchmarks.benchmark import AnswerKind, Question
from evaluators.records.reading import Run, read_run, write_atomically
from evaluators.records.schema import CHOOSERS_CSV, QUESTIONS_CSV, SUMMARY_CSV, Sample
from evaluators.settings.identity import FOUNDING
from srgen.config import Sampling

Classify = Callable[[Sequence[str | None], AnswerKind], list[int]]


def summarise(directory: Path, classify: Classify | None = None) -> Summary:
    """Write questions.csv and summary.csv of a run and return what they hold.

    `classify` groups a question's wrong answers, -1 standing for none; by default `evaluators.grading.classes` in a
    process that can be killed. Raises SRGenError where the directory is not a run's.
    """
    return summarise_run(read_run(directory), classify)


def summarise_run(run: Run, classify: Classify | None = None) -> Summary:
    """As `summarise`, of a run that was read already."""
    directory = run.directory
    summary = summary_of(run, classify) if classify else _summary_in_pool(run)
    write_atomically(directory / QUESTIONS_CSV, to_csv(summary.by_question))
    if summary.curves is not None:
        write_atomically(directory / CHOOSERS_CSV, to_csv(summary.curves, {"rate": 2}))
    write_atomically(directory / SUMMARY_CSV, to_csv(summary_table(summary)))
    return summary


def summary_of(run: Run, classify: Classify) -> Summary:
    """The summary of a run; for `classify` see `summarise`."""
    import pandas as pd

    table = [_samples_of(question, run) for question in run.questions]
    classes = np.array(
        [
            _classes(row, question.kind, same_texts if question.wordings > 1 else classify)
            for row, question in zip(table, run.questions, strict=True)
        ]
    )
    is_open = np.array([[_is_open(sample) for sample in row] for row in table])
    cons, passed = metrics.cons_curve(classes)[:, -1], metrics.pass_curve(classes)[:, -1]
    rows = [
        _question_row(
            question=question,
            samples=samples,
            classes=classes[q],
            is_open=is_open[q],
            cons=float(cons[q]),
            passed=float(passed[q]),
        )
        for q, (question, samples) in enumerate(zip(run.questions, table, strict=True))
    ]
    by_question = pd.DataFrame(rows, columns=list(QUESTION_COLUMNS))
    tags: dict[str, float] = {}
    if run.answer_format == "tags":
        by_question = by_question.join(pd.DataFrame([question_counts(samples) for samples in table]))
        tags = tags_summarised(by_question, [sample for samples in table for sample in samples])
    choices = choices_of(table, classes, signals_of(run.directory, table))
    return Summary(
        benchmark=run.benchmark,
        model=run.model,
        method=run.method,
        questions=len(rows),
        k=run.samples_per_question,
        **_rates(classes, cons, passed),
        **_bounds(classes, is_open),
        **_counts(rows),
        **_readers(run),
        **_cost(run, metrics.accuracies(classes)),
        questions_hash=str(run.config["questions_hash"]),
        grading_version=str(run.config["grading_version"]),
        seed=int(run.config["run"].get("seed", 0)),
        sampling=_sampling(run),
        journal_hash=run.journal_hash,
        by_question=by_question,
        choices=choice_columns(choices),
        tags=tags,
        curves=curves_table(choices, classes, ratio(sum(row["tokens"] for row in rows), len(rows))),
    )


def _summary_in_pool(run: Run) -> Summary:
    from evaluators.grading import GradingPool  # the checker is slow to import, and `compare` seldom needs it

    with GradingPool() as pool:
        return summary_of(run, pool.classes)


def _samples_of(question: Question, run: Run) -> list[Sample | None]:
    found = [run.samples.get((question.id, index)) for index in range(run.samples_per_question)]
    return in_texts(question, found)


def _classes(samples: Sequence[Sample | None], kind: AnswerKind, classify: Classify) -> list[int]:
    """The class of each sample; wrong answers are numbered in the order of their first sample."""
    answers = sorted({s.answer for s in samples if s and s.status == "incorrect" and s.answer is not None})
    group = dict(zip(answers, classify(answers, kind) if answers else [], strict=True))
    number: dict[int, int] = {}
    classes = []
    for sample in samples:
        if sample is None or sample.status not in ("correct", "incorrect"):
            classes.append(SILENT)
        elif sample.correct:
            classes.append(RIGHT)
        elif (wrong := group.get(sample.answer, SILENT) if sample.answer is not None else SILENT) == SILENT:
            classes.append(SILENT)
        else:
            classes.append(number.setdefault(wrong, len(number) + 1))
    return classes


def _is_open(sample: Sample | None) -> bool:
    return sample is None or (not sample.correct and (sample.status != "incorrect" or sample.finish_reason == "length"))


def _question_row(
    *,
    question: Question,
    samples: Sequence[Sample | None],
    classes: IntArray,
    is_open: BoolArray,
    cons: float,
    passed: float,
) -> dict[str, Any]:
    present = [sample for sample in samples if sample is not None]
    answer, votes = _voted(samples, classes)
    asked = [question.as_asked(wording) for wording in range(question.wordings)]
    identity = "\x1f".join((*(text for q in asked for text in (q.prompt, q.gold)), question.kind))
    return {
        "question_id": cell_text(question.id),
        "gold": cell_text(gold_text(question)),
        "question_hash": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "samples": len(samples),
        "correct": int((classes == RIGHT).sum()),
        "avg@k": 100 * float((classes == RIGHT).mean()),
        "voted_answer": cell_text(answer),
        "votes": votes,
        "cons@k": 100 * cons,
        "pass@k": 100 * passed,
        "unanswered": sum(sample.status == "no_answer" for sample in present),
        "truncated": sum(sample.finish_reason == "length" for sample in present),
        "timed_out": sum(sample.status == "timeout" for sample in present),
        "failed": sum(sample.status == "failed" for sample in present),
        "missing": len(samples) - len(present),
        "open": int(is_open.sum()),
        "tokens": sum(sample.generated_tokens for sample in present),
        "reflections": sum(sample.reflections for sample in present),
        "classes": " ".join("-" if group == SILENT else str(group) for group in classes),
    }


def _voted(samples: Sequence[Sample | None], classes: IntArray) -> tuple[str, int]:
    """The answers with most votes, each as its first sample wrote it, and their votes."""
    counts = np.bincount(classes[classes != SILENT], minlength=1)
    most = int(counts.max())
    if most == 0:
        return "", 0
    first = [samples[int(np.argmax(classes == group))] for group in np.flatnonzero(counts == most)]
    return " | ".join(sample.answer or "" for sample in first if sample is not None), most


def _rates(classes: IntArray, cons: FloatArray, passed: FloatArray) -> dict[str, Any]:
    accuracy = metrics.accuracies(classes)
    rates: dict[str, Any] = {}
    for name, values in (("avg", accuracy), ("cons", cons), ("pass", passed)):
        low, high = (100 * end for end in mean_interval(values))
        rates |= {
            "pass_" if name == "pass" else name: 100 * float(values.mean()),
            f"{name}_low": low,
            f"{name}_high": high,
        }
    return rates | {
        "se_new_questions": 100 * se_new_questions(accuracy),
        "se_same_questions": 100 * se_same_questions(accuracy, classes.shape[1]),
    }


def _bounds(classes: IntArray, is_open: BoolArray) -> dict[str, Any]:
    best = metrics.optimistic(classes, is_open)
    return {
        "avg_upper_bound": 100 * float(metrics.accuracies(best).mean()),
        "cons_upper_bound": 100 * float(metrics.cons_curve(best)[:, -1].mean()),
        "pass_upper_bound": 100 * float(metrics.pass_curve(best)[:, -1].mean()),
    }


def _readers(run: Run) -> dict[str, int]:
    readers = Counter(sample.reader for sample in run.counted)
    return {column: readers[reader] for column, reader in READERS.items()}


def _counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = {name: sum(row[name] for row in rows) for name in ("samples", *COUNTS)}
    silent = counts["unanswered"] + counts["timed_out"] + counts["failed"] + counts["missing"]
    return {**counts, "answered": counts["samples"] - silent}


def _cost(run: Run, accuracy: FloatArray) -> dict[str, Any]:
    samples = run.counted
    tokens = sum(sample.generated_tokens for sample in samples)
    return {
        "tokens": tokens,
        "tokens_per_sample": ratio(tokens, len(samples)),
        "reflections_per_sample": ratio(sum(sample.reflections for sample in samples), len(samples)),
        "samples_per_hour": ratio(3600 * len(samples), run.wall_seconds),
        "wall_seconds": run.wall_seconds,
        "accuracy_per_million_tokens": ratio(1e8 * float(accuracy.mean()), tokens),
    }


def ratio(numerator: float, denominator: float) -> float:
    """A quotient; NaN where nothing was measured."""
    return numerator / denominator if denominator else math.nan


def _sampling(run: Run) -> str:
    """The settings of sampling; a later one at its default is left out, so that runs from before it read alike."""
    sampling = run.config["run"].get("sampling") or {}
    defaults = dataclasses.asdict(Sampling())
    shown = [name for name in sorted(sampling) if name in FOUNDING["sampling"] or sampling[name] != defaults.get(name)]
    return " ".join(f"{name}={sampling[name]}" for name in shown if sampling[name] not in ((), [], None))

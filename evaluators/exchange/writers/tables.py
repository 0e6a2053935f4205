"""A row per sample with its question: CSV, JSONL or parquet, which the importer reads back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluators.analysis.summary_rows import Summary
from evaluators.exchange.writers.samples import asked
from evaluators.records.reading import Run

COLUMNS = (
    "question_id",
    "sample",
    "question",
    "gold",
    "response",
    "extracted_answer",
    "correct",
    "status",
    "finish_reason",
    "prompt_tokens",
    "tokens",
    "reflections",
    "seconds",
    "seed",
    "worker",
    "error",
    "reasoning",
    "opening",
)


def write(run: Run, summary: Summary, path: Path) -> list[Path]:
    """Write the table; the ending of `path` says how."""
    if path.suffix == ".parquet":
        import pandas as pd

        pd.DataFrame(_rows(run), columns=list(COLUMNS)).to_parquet(path, index=False)
        return [path]
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        if path.suffix == ".csv":
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(_rows(run))
        else:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(run))
    return [path]


def _rows(run: Run) -> Iterator[dict[str, Any]]:
    for question, samples in asked(run):
        for sample in samples:
            failed = sample.status == "failed"
            yield {
                **{name: getattr(sample, name) for name in COLUMNS if hasattr(sample, name)},
                "question": question.as_asked(sample.sample).prompt,
                "gold": question.as_asked(sample.sample).gold,
                "extracted_answer": sample.answer,
                "correct": None if failed else sample.correct,
                "tokens": sample.generated_tokens,
                "error": (sample.error or "failed") if failed else None,
            }

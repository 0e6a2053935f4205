"""What an imported run's source said of its samples itself: source_verdicts.jsonl in the run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.records.reading import SampleKey, read_lines

SOURCE_VERDICTS = "source_verdicts.jsonl"


@dataclass(frozen=True, slots=True)
class SourceVerdict:
    """The verdict of another grader."""

    correct: bool
    answer: str | None
    """The answer that it extracted, where the source tells it."""

    def row(self, key: SampleKey) -> dict[str, Any]:
        """Its line in the file."""
        return {"question_id": key[0], "sample": key[1], "correct": self.correct, "answer": self.answer}


def read_source_verdicts(directory: Path) -> dict[SampleKey, SourceVerdict]:
    """Verdicts by sample; empty for a run that was not imported, or whose source had none."""
    return {
        (row["question_id"], row["sample"]): SourceVerdict(row["correct"], row["answer"])
        for row in read_lines(directory / SOURCE_VERDICTS)
    }

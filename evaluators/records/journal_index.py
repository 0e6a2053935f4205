"""samples.jsonl as tables of numbers: where each sample's line lies, its verdict and its cost; no text is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.records.growing import GrowingLines, Place
from evaluators.records.schema import SAMPLES_FILE, Sample
from srgen.errors import SRGenError

LETTERS = {"correct": "c", "incorrect": "i", "no_answer": "n", "timeout": "t", "failed": "f"}
"""A verdict in a letter."""
CUT_OFF, MISSING = "l", "m"
"""Not right and at its token budget; not in the journal."""
LONGEST_ANSWER = 200
"""Characters of an answer that are kept; a longer one is told apart by its hash."""

_Row = tuple[int, int, int, str, int, int, int, int]
"""A sample's place in the tables and what each of them, in the order of `_tables`, takes of it."""

_RESPONSE, _AFTER = b', "response": "', b'", "answer": '


class JournalIndex:
    """All that can be said of a run's samples without their texts, tables [Q, K] in the order of its questions.

    `refresh` reads what the journal has gained since; of one sample's several lines the last counts.
    """

    def __init__(self, directory: Path, question_ids: Sequence[str], k: int, root: Path | None = None) -> None:
        """`root`: the folder that the journal must not lead out of."""
        self._lines = GrowingLines(directory / SAMPLES_FILE, root)
        self._number = {key: number for number, key in enumerate(question_ids)}
        self._shape = (len(question_ids), k)
        self._clear()

    def _clear(self) -> None:
        self.offset = np.full(self._shape, -1, np.int64)
        self.length = np.zeros(self._shape, np.int64)
        self.verdict: NDArray[np.str_] = np.full(self._shape, MISSING, "<U1")
        self.tokens = np.zeros(self._shape, np.int64)
        self.reflections = np.zeros(self._shape, np.int32)
        self.answer = np.full(self._shape, -1, np.int32)
        """Number of the answer in `answers`; -1 for none."""
        self.worker = np.full(self._shape, -1, np.int16)
        """Number of the worker in `workers`."""
        self.answers: dict[str, int] = {}
        self.workers: dict[str, int] = {}
        self.damaged: list[int] = []
        """Numbers of the lines, from 1, that are no samples."""

    @property
    def samples(self) -> int:
        """Samples that are there."""
        return int((self.offset >= 0).sum())

    @property
    def correct(self) -> int:
        """Of them, those that are right."""
        return int((self.verdict == "c").sum())

    def refresh(self) -> int:
        """Take in the new lines; returns how many there were. Raises SRGenError where the file leads elsewhere."""
        if self._lines.replaced():
            self._clear()
        rows: list[_Row] = []
        before = self._lines.lines
        try:
            for begin, line in self._lines.gained():
                try:
                    row = self._row(begin, len(line), outline(line))
                except (ValueError, KeyError, TypeError):
                    self.damaged.append(self._lines.lines)
                    continue
                if row is not None:
                    rows.append(row)
        finally:
            self._add(rows)
        return self._lines.lines - before

    def sample(self, question: int, index: int) -> Sample | None:
        """One sample with its texts; None where it is missing. Raises SRGenError where its line is damaged."""
        if self.offset[question, index] < 0:
            return None
        place = Place(int(self.offset[question, index]), int(self.length[question, index]))
        try:
            sample = Sample.from_json(json.loads(self._lines.line(place)))
        except (ValueError, TypeError) as error:
            raise SRGenError(f"{self._lines.path}: a sample's line is damaged: {error}") from None
        if (self._number.get(sample.question_id), sample.sample) != (question, index):
            raise SRGenError(f"{self._lines.path} was written anew just now; look again")
        return sample

    def letters(self, question: int) -> str:
        """A question's verdicts, a letter a sample."""
        return "".join(self.verdict[question].tolist())

    def _row(self, begin: int, length: int, row: dict[str, Any]) -> _Row | None:
        """What the tables take of a line; None for one of a plan that is no longer the run's, as for every reader."""
        question, index = self._number.get(row["question_id"]), int(row["sample"])
        if question is None or not 0 <= index < self._shape[1]:
            return None
        letter = LETTERS[row["status"]]
        if letter != "c" and row["finish_reason"] == "length":
            letter = CUT_OFF
        answer = row["answer"]
        return (
            question * self._shape[1] + index,
            begin,
            length,
            letter,
            int(row["generated_tokens"]),
            int(row["reflections"]),
            -1 if answer is None else self.answers.setdefault(_short(answer), len(self.answers)),
            self.workers.setdefault(str(row["worker"]), len(self.workers)),
        )

    def _add(self, rows: Sequence[_Row]) -> None:
        """Into the tables, column by column: single cells would take half of the time that reading does."""
        if not rows:
            return
        last = {row[0]: row for row in rows}
        places, *columns = zip(*last.values(), strict=True)
        for table, values in zip(self._tables(), columns, strict=True):
            table.reshape(-1)[list(places)] = values

    def _tables(self) -> tuple[NDArray[Any], ...]:
        return self.offset, self.length, self.verdict, self.tokens, self.reflections, self.answer, self.worker


def outline(line: bytes) -> dict[str, Any]:
    """A sample's line but for its response, which is most of it and is not parsed. Raises ValueError.

    Both marks hold a quote after a space: inside a JSON string that quote would be escaped, so they are never text.
    """
    begin = line.find(_RESPONSE)
    # From the end, which is near: there is one such mark.
    end = line.rfind(_AFTER, begin + len(_RESPONSE)) if begin >= 0 else -1
    row = json.loads((line if end < 0 else line[:begin] + line[end + 1 :]).decode())
    if not isinstance(row, dict):
        raise ValueError("it is not an object")
    return row


def _short(answer: str) -> str:
    if len(answer) <= LONGEST_ANSWER:
        return answer
    return (
        answer[:LONGEST_ANSWER]
        + "\N{HORIZONTAL ELLIPSIS} "
        + hashlib.sha256(answer.encode(errors="replace")).hexdigest()[:8]
    )

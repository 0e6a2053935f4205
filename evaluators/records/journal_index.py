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
        count = 0
        for begin, line in self._lines.gained():
            count += 1
            try:
                self._add(begin, len(line), outline(line))
            except (ValueError, KeyError, TypeError):
                self.damaged.append(self._lines.lines)
        return count

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
        return "".join(self.verdict[question])

    def _add(self, begin: int, length: int, row: dict[str, Any]) -> None:
        question, index = self._number.get(row["question_id"]), int(row["sample"])
        if question is None or not 0 <= index < self._shape[1]:
            return  # of a plan that is no longer the run's, as for every reader
        at = question, index
        letter = LETTERS[row["status"]]
        self.verdict[at] = CUT_OFF if letter != "c" and row["finish_reason"] == "length" else letter
        self.tokens[at] = row["generated_tokens"]
        self.reflections[at] = row["reflections"]
        self.worker[at] = self.workers.setdefault(str(row["worker"]), len(self.workers))
        answer = row["answer"]
        self.answer[at] = -1 if answer is None else self.answers.setdefault(_short(answer), len(self.answers))
        self.offset[at], self.length[at] = begin, length


def outline(line: bytes) -> dict[str, Any]:
    """A sample's line but for its response, which is most of it and is not parsed. Raises ValueError.

    Both marks hold a quote after a space: inside a JSON string that quote would be escaped, so they are never text.
    """
    begin = line.find(_RESPONSE)
    end = line.find(_AFTER, begin + len(_RESPONSE)) if begin >= 0 else -1
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

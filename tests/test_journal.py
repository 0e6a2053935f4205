from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.records.journal import Entry, Journal
from evaluators.records.schema import Sample
from evaluators.running.entries import entry
from evaluators.running.workers import Done
from srgen.engines.base import Completion, Reflection
from srgen.errors import SRGenError


def sample(number: int, **changes: Any) -> Sample:
    values = {
        "question_id": f"q{number}",
        "sample": 0,
        "seed": 1,
        "prompt_tokens": 3,
        "response": "line\nbreak \u2028 ü \ud800",
        "answer": "1",
        "status": "correct",
        "correct": True,
        "generated_tokens": 2,
        "finish_reason": "stop",
        "reflections": 1,
        "seconds": 0.5,
        "worker": "cpu:0",
    }
    return Sample(**{**values, **changes})


def recorded(number: int) -> Entry:
    reflection = Reflection(
        position=1,
        entropy_before=2.0,
        entropy_after=1.0,
        threshold=1.5,
        losses=(1.0,),
        delta_norm=0.1,
        token_before=5,
        token_after=6,
    )
    completion = Completion(
        id=f"q{number}/0",
        prompt_tokens=3,
        token_ids=(1, 2),
        text="x",
        finish_reason="stop",
        reflections=(reflection,),
        entropies=(math.nan, 0.5),
    )
    return entry(sample(number), Done(completion, ("a", "b"), (("c", "d"),)))


def journal_of(directory: Path, entries: list[Entry], *, record: bool = False) -> None:
    journal = Journal(directory, record=record)
    journal.append(entries)
    journal.close()


@given(cut=st.integers(0, 900))
def test_a_torn_last_line_is_owed_again(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    directory = tmp_path_factory.mktemp("torn")
    journal_of(directory, [Entry(sample=sample(number)) for number in range(3)])
    path = directory / "samples.jsonl"
    whole = path.read_bytes()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    cut = min(cut, len(whole))
    os.truncate(path, cut)
    kept = sum(end <= cut for end in ends)
    journal = Journal(directory, record=False)
    assert journal.keys == {(f"q{number}", 0) for number in range(kept)}
    assert journal.tally.correct == kept
    journal.append([Entry(sample=sample(number)) for number in range(kept, 3)])
    journal.close()
    assert path.read_bytes() == whole


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    journal_of(tmp_path, [Entry(sample=sample(0))])
    (line,) = (tmp_path / "samples.jsonl").read_text("utf-8").removesuffix("\n").split("\n")
    assert Sample.from_json(json.loads(line)).response.startswith("line\nbreak \u2028 ü ")


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    journal_of(tmp_path, [Entry(sample=sample(number)) for number in range(3)])
    path = tmp_path / "samples.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0\0\0\n" + lines[2])
    with pytest.raises(SRGenError, match=r"samples\.jsonl, line 2, is damaged"):
        Journal(tmp_path, record=False)


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text('{"question_id": "q0"}\n')
    with pytest.raises(SRGenError, match="not a journal of this version"):
        Journal(tmp_path, record=False)


def test_recordings_without_their_sample_are_dropped(tmp_path: Path) -> None:
    journal_of(tmp_path, [recorded(number) for number in range(4)], record=True)
    path = tmp_path / "samples.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    journal_of(tmp_path, [recorded(3)], record=True)
    for name in ("samples.jsonl", "reflections.jsonl", "entropies.jsonl"):
        rows = [json.loads(line) for line in (tmp_path / name).read_bytes().splitlines()]
        assert [row["question_id"] for row in rows] == ["q0", "q2", "q3"], name
    assert rows[0] == {"question_id": "q0", "sample": 0, "tokens": ["a", "b"], "entropies": [None, 0.5]}


def test_when_the_disk_takes_no_more_no_half_line_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, record=False)
    journal.append([Entry(sample=sample(0))])
    before = (tmp_path / "samples.jsonl").read_bytes()
    write = os.write

    def fill(handle: int, data: bytes) -> int:
        if len(data) < 150:
            raise OSError(28, "No space left on device")
        return write(handle, data[:100])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(OSError, match="No space left"):
        journal.append([Entry(sample=sample(1))])
    monkeypatch.undo()
    assert (tmp_path / "samples.jsonl").read_bytes() == before
    assert journal.tally.samples == 1
    journal.append([Entry(sample=sample(1))])
    journal.close()
    assert len((tmp_path / "samples.jsonl").read_bytes().splitlines()) == 2

"""Grading a finished run again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from synthetic_runs import lines, sample, write_run

from evaluators.analysis.summary_rows import read_summary
from evaluators.grading import GRADING_VERSION
from evaluators.records.journal import exclusive
from evaluators.records.reading import read_run
from evaluators.records.schema import Sample
from evaluators.rescore import main


@pytest.fixture
def misgraded(tmp_path: Path) -> Path:
    """A run whose first verdict is wrong, by a grader of long ago."""
    samples = [
        dataclasses.replace(sample("q0", 0, "7", "7"), status="incorrect", correct=False, answer="seven"),
        sample("q0", 1, "8", "7"),
        sample("q0", 2, None, "7", status="failed", finish_reason="error", error="out of memory", response=""),
    ]
    return write_run(tmp_path / "run", samples, {"q0": "7"}, k=4, grading_version="0")


def test_new_verdicts_replace_the_old_and_are_shown(misgraded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read_run(misgraded).samples
    assert main([str(misgraded)]) == 0
    printed = capsys.readouterr().out
    assert "1 of 3 verdicts or answers changed" in printed
    assert "incorrect -> correct: 1" in printed
    assert "q0, sample 0: incorrect (seven) -> correct (7)" in printed
    assert "Avg@4: 0.0 -> 25.0 (+25.0)" in printed
    after = read_run(misgraded)
    assert after.samples[("q0", 0)].correct
    assert after.samples[("q0", 0)].response == before[("q0", 0)].response
    assert after.config["grading_version"] == str(GRADING_VERSION)
    summary = read_summary(misgraded)
    assert (summary.avg, summary.missing, summary.grading_version) == (25.0, 1, str(GRADING_VERSION))


def test_what_failed_stays_failed(misgraded: Path) -> None:
    main([str(misgraded)])
    failed: Sample = read_run(misgraded).samples[("q0", 2)]
    assert (failed.status, failed.error) == ("failed", "out of memory")


def test_nothing_else_of_the_run_is_touched(misgraded: Path) -> None:
    config = yaml.safe_load((misgraded / "config.yaml").read_text())
    questions = (misgraded / "questions.jsonl").read_bytes()
    main([str(misgraded)])
    assert yaml.safe_load((misgraded / "config.yaml").read_text()) == {
        **config,
        "grading_version": str(GRADING_VERSION),
    }
    assert (misgraded / "questions.jsonl").read_bytes() == questions


def test_a_dry_run_writes_nothing(misgraded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = (misgraded / "samples.jsonl").read_bytes()
    assert main([str(misgraded), "--dry_run"]) == 0
    assert "1 of 3 verdicts or answers would change" in capsys.readouterr().out
    assert (misgraded / "samples.jsonl").read_bytes() == journal
    assert not (misgraded / "summary.csv").exists()


def test_rescoring_twice_changes_nothing_more(misgraded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(misgraded)])
    journal = (misgraded / "samples.jsonl").read_bytes()
    capsys.readouterr()
    main([str(misgraded)])
    assert "0 of 3 verdicts or answers changed" in capsys.readouterr().out
    assert (misgraded / "samples.jsonl").read_bytes() == journal


def test_a_run_that_is_being_written_is_left_alone(
    misgraded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import fcntl

    def taken(*_: object) -> None:
        raise OSError("held")

    monkeypatch.setattr(fcntl, "lockf", taken)
    assert main([str(misgraded)]) == 2
    assert "another process is writing" in capsys.readouterr().err


def test_half_surrogates_of_a_response_survive(misgraded: Path) -> None:
    rows = [json.loads(line) for line in (misgraded / "samples.jsonl").read_text().splitlines()]
    rows[0]["response"] = "\ud83d so \\boxed{7}"
    (misgraded / "samples.jsonl").write_text(lines(rows))
    assert main([str(misgraded)]) == 0
    assert read_run(misgraded).samples[("q0", 0)].response == "\ud83d so \\boxed{7}"


def test_mistakes_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "is not a run's directory" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert main([str(tmp_path), "--grading_workers", "0"]) == 2


def test_the_lock_is_free_again(misgraded: Path) -> None:
    main([str(misgraded)])
    with exclusive(misgraded):
        pass

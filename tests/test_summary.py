"""From a run's files to its two CSV files: nothing that is missing shrinks a denominator."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from synthetic_runs import drawn_run, first_words, sample, write_run

from evaluators.analysis.summary import summarise
from evaluators.analysis.summary_rows import classes_of, read_summary
from evaluators.records.reading import read_run
from evaluators.records.schema import Sample
from srgen.errors import SRGenError

GOLDS = {"q0": "7", "q1": "5"}


def incomplete_run(directory: Path) -> Path:
    """Two questions with 4 samples each, of which every kind of mishap takes one."""
    samples = [
        sample("q0", 0, "7", "7"),
        sample("q0", 1, "8", "7"),
        sample("q0", 2, None, "7", finish_reason="length"),
        sample("q0", 3, "8", "7", finish_reason="length"),
        sample("q1", 0, None, "5", status="failed", finish_reason="error", error="out of memory", generated_tokens=0),
        sample("q1", 1, "5", "5", status="timeout", correct=False),
        sample("q1", 3, None, "5"),
    ]
    return write_run(directory, samples, GOLDS, k=4)


def test_mishaps_are_counted_and_stay_in_the_denominator(tmp_path: Path) -> None:
    summary = summarise(incomplete_run(tmp_path), first_words)
    assert summary.samples == 8
    assert summary.avg == pytest.approx(100 / 8)
    assert (summary.unanswered, summary.truncated, summary.timed_out, summary.failed, summary.missing) == (
        2,
        2,
        1,
        1,
        1,
    )
    assert summary.answered == 3


def test_upper_bounds_take_what_was_left_open_as_right(tmp_path: Path) -> None:
    summary = summarise(incomplete_run(tmp_path), first_words)
    # q0: one right, one wrong, two cut off; q1: nothing but mishaps
    assert summary.avg_upper_bound == pytest.approx(100 * (3 + 4) / 8)
    assert summary.cons_upper_bound == 100
    assert summary.cons == 0
    assert (summary.pass_, summary.pass_upper_bound) == (50, 100)


def test_a_dead_worker_takes_no_question_out_of_the_average(tmp_path: Path) -> None:
    """The worker of q1 died: its question has no sample at all."""
    samples = [sample("q0", index, "7", "7") for index in range(4)]
    summary = summarise(write_run(tmp_path, samples, GOLDS, k=4), first_words)
    assert (summary.questions, summary.avg, summary.missing) == (2, 50, 4)
    assert read_summary(tmp_path).by_question["classes"][1] == "- - - -"


def test_rows_of_questions_say_classes_votes_and_counts(tmp_path: Path) -> None:
    summarise(incomplete_run(tmp_path), first_words)
    rows = list(csv.DictReader((tmp_path / "questions.csv").open()))
    assert rows[0]["classes"] == "0 1 - 1"
    assert (rows[0]["voted_answer"], rows[0]["votes"], rows[0]["cons@k"], rows[0]["pass@k"]) == (
        "8",
        "2",
        "0.0",
        "100.0",
    )
    assert (rows[1]["voted_answer"], rows[1]["votes"], rows[1]["open"]) == ("", "0", "4")


def test_tied_answers_are_all_named(tmp_path: Path) -> None:
    samples = [sample("q0", 0, "9", "7"), sample("q0", 1, "7", "7")]
    summary = summarise(write_run(tmp_path, samples, {"q0": "7"}, k=2), first_words)
    assert summary.by_question["voted_answer"][0] == "7 | 9"
    assert summary.cons == 50


def test_wrong_answers_are_grouped_by_equivalence(tmp_path: Path) -> None:
    answers = ["x", "X", "y", "7"]
    samples = [sample("q0", index, answer, "7") for index, answer in enumerate(answers)]
    summary = summarise(write_run(tmp_path, samples, {"q0": "7"}, k=4), first_words)
    assert summary.by_question["classes"][0] == "1 1 2 0"


def test_classes_do_not_depend_on_the_grader_seeing_answers_in_journal_order(tmp_path: Path) -> None:
    seen: list[list[str | None]] = []

    def spy(answers: list[str | None], kind: str) -> list[int]:
        seen.append(list(answers))
        return first_words(answers, kind)

    for name, order in (("a", (0, 1, 2)), ("b", (2, 1, 0))):
        answers = ["4", "3", "4"]
        summarise(write_run(tmp_path / name, [sample("q0", i, answers[i], "7") for i in order], {"q0": "7"}, k=3), spy)
    assert seen == [["3", "4"], ["3", "4"]]


def test_sampling_reads_as_before_where_later_settings_are_off(tmp_path: Path) -> None:
    run = drawn_run(tmp_path, questions=2, k=1)
    assert (
        summarise(run, first_words).sampling == "do_sample=True max_new_tokens=4096 temperature=0.6 top_k=0 top_p=0.95"
    )
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("min_p: 0.0", "min_p: 0.1"))
    assert "min_p=0.1" in summarise(run, first_words).sampling


def test_files_read_back_as_they_were_written(tmp_path: Path) -> None:
    written = summarise(drawn_run(tmp_path, questions=5, k=3), first_words)
    read = read_summary(tmp_path / "summary.csv")
    assert read.avg == pytest.approx(written.avg, abs=0.05)
    assert (read.questions_hash, read.grading_version, read.sampling) == ("abc", "1", written.sampling)
    assert read.by_question["classes"].tolist() == written.by_question["classes"].tolist()
    assert classes_of(read.by_question).shape == (5, 3)
    header = (tmp_path / "summary.csv").read_text().splitlines()[0].split(",")
    assert {"benchmark", "model", "method", "k", "avg@k", "avg@k_low", "cons@k", "pass@k_high", "missing"} <= set(
        header
    )


def test_answers_with_separators_and_half_surrogates_survive_the_csv(tmp_path: Path) -> None:
    answers = ['a,"b"\nc', "\ud83d"]
    samples = [sample("q0", index, answer, "7") for index, answer in enumerate(answers)]
    summarise(write_run(tmp_path, samples, {"q0": "7"}, k=2), first_words)
    assert 'a,"b"\nc' in read_summary(tmp_path).by_question["voted_answer"][0]


def test_what_was_not_measured_is_empty(tmp_path: Path) -> None:
    run = write_run(tmp_path, [sample("q0", 0, "7", "7")], {"q0": "7"}, k=1)
    (run / "timing.json").unlink()
    summarise(run, first_words)
    summary = read_summary(run)
    assert math.isnan(summary.wall_seconds)
    assert math.isnan(summary.se_same_questions)
    assert math.isnan(summary.samples_per_hour)


def test_a_torn_last_line_is_work_still_owed(tmp_path: Path) -> None:
    run = incomplete_run(tmp_path)
    with (run / "samples.jsonl").open("a") as journal:
        journal.write('{"question_id": "q1", "samp')
    assert len(read_run(run).samples) == 7


def test_a_damaged_line_elsewhere_is_named(tmp_path: Path) -> None:
    run = incomplete_run(tmp_path)
    text = (run / "samples.jsonl").read_text()
    (run / "samples.jsonl").write_text("{oops\n" + text)
    with pytest.raises(SRGenError, match="line 1, is damaged"):
        read_run(run)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(SRGenError, match="not a run's directory"):
        read_run(tmp_path)


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    run = incomplete_run(tmp_path)
    (run / "samples.jsonl").write_text('{"question": 1}\n')
    with pytest.raises(SRGenError, match="not a journal of this version"):
        read_run(run)


def test_default_classes_come_from_the_grader(tmp_path: Path) -> None:
    answers = ["08", "8", "9"]
    samples: list[Sample] = [sample("q0", index, answer, "7") for index, answer in enumerate(answers)]
    summary = summarise(write_run(tmp_path, samples, {"q0": "7"}, k=3))
    assert summary.by_question["classes"][0] == "1 1 2"

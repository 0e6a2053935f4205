"""The benchmark `choice`: layouts of public files, and questions that a file repeats with their choices shuffled."""

from __future__ import annotations

import csv
import dataclasses
import json
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_engine import Script, ScriptedEngine

from evaluators.analysis.loading import load_summary
from evaluators.analysis.pairing import pair_up
from evaluators.benchmarks.benchmark import Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.prompts import place_instruction
from evaluators.benchmarks.questions import load_questions
from evaluators.benchmarks.registry import benchmark_named
from evaluators.cli import planned
from evaluators.presentation.documents.collection import Collection
from evaluators.records.indexed_run import IndexedRun
from evaluators.records.reading import read_run
from evaluators.rescore import main as rescore_main
from evaluators.running.devices import WorkerPlace
from evaluators.running.plan import RunPlan
from evaluators.running.run import evaluate
from evaluators.running.workers import EngineFactory
from evaluators.settings.sources import read_settings
from srgen.engines.base import Completion, Message, Request
from srgen.errors import ConfigError

CHOICE = benchmark_named("choice")
LETTERS = "ABCD"
ICE = ["gas", "ice"]
LABELLED = [{"text": "gas", "label": "A"}, {"text": "ice", "label": "B"}]


def written(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def loaded(path: Path) -> list[Question]:
    return load_questions(CHOICE, DataConfig(benchmark="choice", dataset_path=str(path)), 42)


def shuffled(questions: int, times: int = 4) -> list[dict[str, str]]:
    """Rows as in a GPQA file that holds every question several times, its choices drawn anew each time."""
    draw = random.Random(0)
    rows = []
    for _ in range(times):
        for number in range(questions):
            texts = [f"answer {number}-{choice}" for choice in range(4)]
            order = draw.sample(texts, 4)
            listed = "".join(f"\n{letter}) {text}" for letter, text in zip(LETTERS, order, strict=True))
            rows.append({"question": f"Question {number}?\n{listed}", "answer": LETTERS[order.index(texts[0])]})
    return rows


@pytest.mark.parametrize(
    ("row", "choices", "gold"),
    [
        ({"question": "Which?\nA: gas\nB: liquid\nC: solid", "answer": "A"}, ["gas", "liquid", "solid"], "A"),
        ({"Question": " Which?\n\nA. gas\nB. liquid", "Ground_truth": "B"}, ["gas", "liquid"], "B"),
        ({"question": "_ is late.\nOption1: Ann\nOption2: Bob", "answer": "2"}, ["Ann", "Bob"], "B"),
        ({"question": "Which?\n1: gas\n2: ice\n3: solid\n4: no", "answer": "3"}, [*ICE, "solid", "no"], "C"),
        ({"question": "Which?\n(A) gas\nand more\n(B) liquid", "answer": "(A)"}, ["gas\nand more", "liquid"], "A"),
        ({"question": "Of\nA. Smith\nand B. Jones, who?\nA. Smith\nB. Jones", "answer": "B"}, ["Smith", "Jones"], "B"),
        ({"question": "Which?", "choices": ["gas", "liquid"], "answer": 1}, ["gas", "liquid"], "B"),
        ({"question": "Which?", "choices": ["gas", "liquid"], "answer": "liquid"}, ["gas", "liquid"], "B"),
        ({"question": "Which?", "choices": {"text": ["gas", "ice"], "label": ["1", "2"]}, "answerKey": "2"}, ICE, "B"),
        ({"question": {"stem": "Which?", "choices": LABELLED}, "answerKey": "B"}, ICE, "B"),
        ({"sentence": "_ is late.", "option1": "Ann", "option2": "Bob", "answer": "1"}, ["Ann", "Bob"], "A"),
    ],
)  # fmt: skip
def test_layouts(row: dict[str, Any], choices: list[str], gold: str, tmp_path: Path) -> None:
    (question,) = loaded(written(tmp_path / "rows.jsonl", [row]))
    assert (question.metadata["choices"], question.gold, question.kind) == (choices, gold, "choice")
    listed = "\n".join(f"{letter}: {text}" for letter, text in zip("ABCDEFGHIJ", choices, strict=False))
    assert question.prompt.endswith(f"\n{listed}") and not question.prompt.startswith("\n")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "Which?", "answer": "A"}, "row 1 of .* has no choices, a line each"),
        ({"question": "Which?\nA: gas\nB: ice", "answer": "C"}, "the answer 'C' is none of its choices A, B"),
        ({"question": "Which?\nA: gas\nB: ice"}, "has no field 'answer or answerkey"),
        ({"question": "Which?", "choices": ["gas"], "answer": 0}, "it has 1 choices; 2 to 10 can be graded"),
    ],
)
def test_a_row_that_is_no_choice_is_a_sentence(row: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        loaded(written(tmp_path / "rows.jsonl", [row]))


def test_without_a_file_there_are_no_questions() -> None:
    with pytest.raises(ConfigError, match="give a file with --dataset_path"):
        load_questions(CHOICE, DataConfig(benchmark="choice"), 42)


def settings_of(path: Path, *flags: str) -> RunPlan:
    given = ["--model_path", "demo", "--dataset_path", str(path), "--output_dir", str(path.parent / "results"), *flags]
    return planned(CHOICE, read_settings(CHOICE, given))


def test_792_rows_are_198_questions_of_4_samples(tmp_path: Path) -> None:
    rows = shuffled(198)
    assert len(rows) == 792
    plan = settings_of(written(tmp_path / "gpqa.jsonl", rows))
    assert len(plan.questions) == 198
    assert plan.config.average == 4
    assert plan.config.data.version == "gpqa"
    asked = [question.as_asked(sample) for sample in range(4) for question in plan.questions]
    assert [(q.prompt, q.gold) for q in asked] == [
        (re.sub(r"\n([A-D])\) ", r"\n\1: ", row["question"].replace("\n\n", "\n")), row["answer"]) for row in rows
    ]
    assert settings_of(tmp_path / "gpqa.jsonl", "--average", "4").config == plan.config
    assert settings_of(tmp_path / "gpqa.jsonl", "--average", "5").config.average == 8
    assert len(settings_of(tmp_path / "gpqa.jsonl", "--eval_samples", "10").questions) == 10


def test_repetitions_in_any_order_and_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = shuffled(3)
    other = {**rows[0], "answer": next(letter for letter in LETTERS if letter != rows[0]["answer"])}
    plan = settings_of(written(tmp_path / "rows.jsonl", [rows[0], rows[1], rows[3], rows[2], other]))
    assert [question.wordings for question in plan.questions] == [2, 1, 1, 1]
    assert plan.config.average == 1
    assert "1 of 4 questions are repeated, not all equally often" in caplog.text
    assert plan.questions[0].as_asked(2).prompt == plan.questions[0].prompt


def test_an_instruction_in_the_users_turn_follows_every_wording(tmp_path: Path) -> None:
    questions = loaded(written(tmp_path / "rows.jsonl", shuffled(2)))
    for _ in range(2):  # the questions of an earlier run have it already
        questions, system = place_instruction(questions, "Think.", "user")
        assert system is None
        assert all(q.as_asked(s).prompt.count("\n\nThink.") == 1 for q in questions for s in range(4))


class Guessing(ScriptedEngine):
    """Answers the text `answer N-0` (right) in samples 0 and 1, `answer N-1` in the others, by its letter."""

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        asked: dict[str, Request] = {}

        def seen() -> Iterator[Request | None]:
            for request in requests:
                if request is not None:
                    asked[request.id] = request
                yield request

        for found in super().generate(seen()):
            request = asked[found.id]
            text = "".join(turn.content for turn in request.prompt if isinstance(turn, Message))
            wanted = 0 if int(found.id.rpartition("/")[2]) < 2 else 1
            (letter,) = re.findall(rf"^(\w): answer \d+-{wanted}$", text, re.MULTILINE)
            yield dataclasses.replace(found, text=f"Answer: {letter}")


def guess() -> Guessing:
    return Guessing(Script())


def guessing(place: WorkerPlace) -> EngineFactory:
    return guess


def test_votes_are_for_texts_and_the_run_goes_on_is_rescored_compared_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "gpqa.jsonl", shuffled(5))
    plans = [settings_of(path, "--run_name", name) for name in "xy"]
    for plan in plans:
        assert evaluate(plan, engine=guessing) == 0
    directory = plans[0].directory
    letters = {sample.answer for sample in read_run(directory).samples.values()}
    assert len(letters) > 1  # one text under several letters
    summary = load_summary(directory)
    assert (summary.questions, summary.k, summary.samples, summary.avg) == (5, 4, 20, 50)
    assert summary.cons == 50  # two votes for the right text, two for one wrong text: a tie
    rows = list(csv.DictReader((directory / "questions.csv").open()))
    assert [row["classes"] for row in rows] == ["0 0 1 1"] * 5
    assert rows[0]["gold"] == "answer 0-0" and rows[0]["voted_answer"] == "answer 0-0 | answer 0-1"
    journal = directory / "samples.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:7]))
    assert evaluate(plans[0], engine=guessing) == 0
    assert len(read_run(directory).samples) == 20
    capsys.readouterr()
    assert rescore_main([str(directory)]) == 0
    assert "0 of 20 verdicts or answers changed" in capsys.readouterr().out
    folders = [plan.directory for plan in plans]
    (pair,) = pair_up([load_summary(folder) for folder in folders], folders)
    assert pair.comparison is not None and pair.comparison.samples == 4
    shown = Collection([IndexedRun(folder) for folder in folders], [None, None], ["x", "y"])
    for run in shown.runs:
        run.refresh()
    page = shown.question(0)
    assert page["gold"] == "answer 0-0"
    assert {vote["answer"]: vote["count"] for vote in page["runs"][0]["votes"]} == {"answer 0-0": 2, "answer 0-1": 2}
    document = shown.sample(0, 0, 1)
    assert document is not None
    assert document["asked"]["prompt"] == plans[0].questions[0].as_asked(1).prompt

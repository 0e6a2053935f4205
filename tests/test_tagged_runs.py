"""Runs whose answers are in tags: what is asked, graded, recorded, summarised, compared and shown."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from scripted_engine import Script, ScriptedEngine
from scripted_run import questions, run_config
from synthetic_runs import first_words, lines, sample, write_run

from evaluators.analysis.loading import load_summary
from evaluators.analysis.summary import summarise
from evaluators.analysis.summary_rows import TAG_COLUMNS, TAG_COUNTS, read_summary
from evaluators.benchmarks.prompts import TAGS, TAGS_CHOICE
from evaluators.benchmarks.registry import benchmark_named
from evaluators.cli import run_config as config_of
from evaluators.compare import main as compare_main
from evaluators.grading import grade
from evaluators.grading.answer.tags import token_counts
from evaluators.presentation.run_table import final_table
from evaluators.records.reading import read_run
from evaluators.rescore import main as rescore_main
from evaluators.running.devices import WorkerPlace
from evaluators.running.plan import RunPlan
from evaluators.running.run import evaluate
from evaluators.running.workers import EngineFactory
from evaluators.settings.run_config import RunConfig
from evaluators.settings.sources import read_settings
from srgen.engines.base import Completion, Request
from srgen.thinking import opening

GOOD = "<think>2 + 3 <refine>is 5</refine></think><answer>5</answer>"
PLAIN = "<think>2 + 3</think><answer>5</answer>"
WRONG = "<think>2 + 3 <refine>is 6</refine></think><answer>6</answer>"
LOOSE = "<think>2 + 3</think> so <answer>6</answer>"


def tagged_run(directory: Path, rows: dict[str, list[str]], *, tags: bool = True) -> Path:
    """A run of these responses by question, whose gold is 5, graded by their tags."""
    samples = []
    for key, responses in rows.items():
        for index, response in enumerate(responses):
            verdict = grade(response, "5", "integer", "stop", answer_format="tags")
            tokens = token_counts(list(response)) if tags else None
            found = sample(key, index, verdict.answer, "5", response=response, tag_tokens=tokens)
            samples.append(found)
    write_run(directory, samples, dict.fromkeys(rows, "5"), k=len(next(iter(rows.values()))))
    (directory / "samples.jsonl").write_text(lines([s.to_json() for s in samples]))
    config = yaml.safe_load((directory / "config.yaml").read_text())
    if tags:
        config["run"]["data"]["answer_format"] = "tags"
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    return directory


@pytest.mark.parametrize(
    ("response", "gold", "kind", "status"),
    [
        (GOOD, "5", "integer", "correct"),
        ("<think>a</think><answer>The answer is \\boxed{5}.</answer>", "5", "integer", "correct"),
        ("<think>a</think><answer>so \\frac{1}{2}</answer>", "\\frac12", "latex", "incorrect"),
        ("<think>a</think><answer>\\frac{1}{2}</answer>", "0.5", "latex", "correct"),
        ("<think>a</think><answer>(C) a dog</answer>", "C", "choice", "correct"),
        ("<think>a</think><answer>a dog</answer>", "C", "choice", "incorrect"),
        ("<think>The answer is \\boxed{5}.</think>", "5", "integer", "no_answer"),
        ("<think>a</think>The answer is \\boxed{5}.", "5", "integer", "no_answer"),
        ("<think>a</think><answer> </answer>", "5", "integer", "no_answer"),
    ],
)
def test_the_answer_in_the_tags_is_decided_as_the_benchmark_decides(
    response: str, gold: str, kind: str, status: str
) -> None:
    assert grade(response, gold, kind, "stop", answer_format="tags").status == status  # type: ignore[arg-type]


def test_the_format_sets_the_instruction_and_names_the_run() -> None:
    def config(*flags: str) -> RunConfig:
        benchmark = benchmark_named("gpqa" if "--choice" in flags else "mini")
        given = [flag for flag in flags if flag != "--choice"]
        return config_of(benchmark, read_settings(benchmark, ["--model_path", "demo", *given]))

    tags = config("--answer_format", "tags")
    assert tags.data.system_prompt == TAGS
    assert config("--choice", "--answer_format", "tags").data.system_prompt == TAGS_CHOICE
    assert config("--answer_format", "tags", "--system_prompt", "Mine.").data.system_prompt == "Mine."
    assert tags.identity()["data"]["answer_format"] == "tags"
    assert "answer_format" not in config().identity()["data"]


def test_tokens_are_counted_by_part() -> None:
    tokens = ["<think>", "2 ", "+ 3", " <ref", "ine>", "is", " 5", "</refine></think>", "<answer>", "5<", "/answer>"]
    assert token_counts(tokens) == {"think": 7, "refine": 2, "answer": 1}
    assert token_counts(tokens[1:], "<think>") == {"think": 7, "refine": 2, "answer": 1}
    assert token_counts([]) == {"think": 0, "refine": 0, "answer": 0}


@pytest.mark.parametrize(
    ("prompt", "prefix", "found"),
    [
        ("user: 1 + 1? assistant: <think>\n", "", "<think>\n"),
        ("user: 1 + 1? assistant: <think>\n\n</think>\n\n", "", "<think>\n\n</think>\n\n"),
        ("user: what is <think>? assistant:", "", ""),
        ("assistant: <think>\n", "<think>\n", ""),
        ("assistant: <think>\nOkay", "Okay", "<think>\n"),
    ],
)
def test_what_a_prompt_has_opened(prompt: str, prefix: str, found: str) -> None:
    assert opening(prompt, prefix) == found


def test_a_run_counts_formats_refines_and_compares_within_questions(tmp_path: Path) -> None:
    rows = {"a": [GOOD, GOOD, LOOSE, PLAIN], "b": [GOOD, WRONG, LOOSE, LOOSE], "c": [PLAIN, PLAIN, PLAIN, PLAIN]}
    summary = summarise(tagged_run(tmp_path / "run", rows), first_words)
    assert summary.avg == pytest.approx(100 * (3 / 4 + 1 / 4 + 1) / 3)
    tags = summary.tags
    assert tags["well_formed"] == pytest.approx(100 * 9 / 12)
    assert tags["refined"] == pytest.approx(100 * 4 / 12)
    assert tags["refines_per_sample"] == pytest.approx(4 / 12)
    assert tags["refine_questions"] == 2
    assert tags["avg_with_refine"] == pytest.approx(100 * (1 + 1 / 2) / 2)
    assert tags["avg_without_refine"] == pytest.approx(100 * (1 / 2 + 0) / 2)
    assert tags["refine_difference"] == pytest.approx(50)
    assert tags["refine_difference_low"] < 50 < tags["refine_difference_high"]
    assert tags["answer_tokens_per_sample"] == 1
    assert read_summary(tmp_path / "run").tags.keys() == set(TAG_COLUMNS)
    table = final_table(summary)
    assert "75.0 % of the responses are well-formed, 33.3 % refine, 0.33 refines a sample" in table
    assert "right with a refine 75.0 %, without 25.0 % (+50.0" in " ".join(table.split())


def test_one_sample_a_question_says_that_it_cannot_tell(tmp_path: Path) -> None:
    summary = summarise(tagged_run(tmp_path, {"a": [GOOD], "b": [PLAIN]}), first_words)
    assert summary.tags["refine_questions"] == 0
    assert "no question has samples with and samples without a refine" in " ".join(final_table(summary).split())


def test_runs_without_tags_show_none_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [tagged_run(tmp_path / name, {"a": [GOOD, PLAIN], "b": [LOOSE, WRONG]}, tags=False) for name in "xy"]
    for folder in folders:
        summary = summarise(folder, first_words)
        assert not summary.tags
        assert "refine" not in final_table(summary)
        for name in ("questions.csv", "summary.csv"):
            columns = next(csv.reader((folder / name).open()))
            assert not {*TAG_COLUMNS, *TAG_COUNTS} & set(columns)
    assert compare_main([*map(str, folders), "--output_dir", str(tmp_path / "c")]) == 0
    assert "refine" not in capsys.readouterr().out
    assert "refine" not in (tmp_path / "c" / "comparison.csv").read_text()


def test_compare_says_what_became_of_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tagged_run(tmp_path / "before", {"a": [LOOSE, LOOSE], "b": [PLAIN, LOOSE]})
    after = tagged_run(tmp_path / "after", {"a": [GOOD, PLAIN], "b": [GOOD, WRONG]})
    for folder in (before, after):
        summarise(folder, first_words)
    assert compare_main([str(before), str(after), "--output_dir", str(tmp_path / "c")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "well-formed responses: first 25.0 %, second 100.0 % (+75.0" in said
    assert "responses with a refine: first 0.0 %, second 75.0 % (+75.0" in said
    (row,) = csv.DictReader((tmp_path / "c" / "comparison.csv").open())
    assert row["base_well_formed"] == "25.0" and row["well_formed_difference"] == "75.0"
    assert row["other_refines_per_sample"] == "0.75"


class TaggedEngine(ScriptedEngine):
    """Answers in tags, in a chat whose template opens the thinking."""

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        for found in super().generate(requests):
            text = "one <refine>two</refine></think><answer>1</answer>"
            yield dataclasses.replace(found, text=text, opening="<think>\n", token_ids=tuple(map(ord, text)))

    def decode_tokens(self, token_ids: Sequence[int]) -> list[str]:
        return [chr(token) for token in token_ids]


def test_a_run_in_tags_from_the_engine_to_its_samples_and_graded_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = run_config(average=2)
    config = dataclasses.replace(config, srgen=None, data=dataclasses.replace(config.data, answer_format="tags"))
    plan = RunPlan(config=config, questions=questions(3), system_prompt=None, directory=tmp_path / "run")

    def engine(place: WorkerPlace) -> EngineFactory:
        return load

    assert evaluate(plan, engine=engine) == 0
    (line, *_) = map(json.loads, (tmp_path / "run" / "samples.jsonl").read_text().splitlines())
    assert line["opening"] == "<think>\n"
    assert line["tag_tokens"] == {"think": 24, "refine": 3, "answer": 1}
    summary = load_summary(tmp_path / "run")
    assert (summary.avg, summary.tags["well_formed"], summary.tags["refined"]) == (100, 100, 100)
    assert "100.0 % of the responses are well-formed" in capsys.readouterr().out
    assert rescore_main([str(tmp_path / "run")]) == 0
    assert "0 of 6 verdicts or answers changed" in capsys.readouterr().out
    assert read_run(tmp_path / "run").answer_format == "tags"


def load() -> TaggedEngine:
    return TaggedEngine(Script())

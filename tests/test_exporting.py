"""Runs in other tools' files, and back again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import yaml
from synthetic_runs import drawn_run, sample, write_run

from evaluators.exporting import main as export
from evaluators.importing import main as bring
from evaluators.records.reading import read_run
from evaluators.rescore import main as rescore

ROUND_TRIPS = {
    "inspect": "run.eval",
    "lm-eval": "folder",
    "jsonl": "run.jsonl",
    "csv": "run.csv",
    "parquet": "run.parquet",
}
UNKNOWN = {"questions_hash", "seed", "sampling", "samples_per_hour", "wall_seconds"}
"""Columns of summary.csv that only inspect's format has a place for."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with reflections and answers that today's grader has seen."""
    run = drawn_run(tmp_path_factory.mktemp("there") / "run", questions=6, k=3, srgen=True)
    assert rescore([str(run)]) == 0
    return run


def summary(directory: Path) -> dict[str, str]:
    header, row = (directory / "summary.csv").read_text().splitlines()
    return dict(zip(header.split(","), row.split(","), strict=True))


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_out_and_in_again_gives_the_same_metrics(name: str, run: Path, tmp_path: Path) -> None:
    out = tmp_path / ROUND_TRIPS[name]
    assert export([str(run), "--to", name, "-o", str(out)]) == 0
    names = ["--model", "models/tiny-1B", "--method", "srgen", "--run_name", "here"]
    assert bring([str(out), "--questions_from", str(run), "--output_dir", str(tmp_path / "in"), *names]) == 0
    here = tmp_path / "in" / "aime-2024" / "tiny-1B" / "here"
    assert (here / "questions.csv").read_text() == (run / "questions.csv").read_text()
    lost = {"questions_hash"} if name == "inspect" else UNKNOWN
    lost = lost | {"read_exactly", "read_symbolically", "read_by_neither"}  # the run was written without its readers
    there, back = summary(run), summary(here)
    assert {key: back[key] for key in there.keys() - lost} == {key: there[key] for key in there.keys() - lost}
    assert not list(tmp_path.rglob(".exporting*"))


def test_a_failed_sample_and_half_a_surrogate_come_back(tmp_path: Path) -> None:
    samples = [
        sample("q0", 0, "7", "7", response="\ud83d so \\boxed{7}"),
        sample("q0", 1, None, "7", status="failed", finish_reason="error", error="out of memory", response=""),
    ]
    run = write_run(tmp_path / "run", samples, {"q0": "7"}, k=3)
    for name, out in ROUND_TRIPS.items():
        if name == "parquet":
            continue
        assert export([str(run), "--to", name, "-o", str(tmp_path / name / out)]) == 0
        arguments = ["--questions_from", str(run), "--output_dir", str(tmp_path), "--model", "m", "--run_name", name]
        assert bring([str(tmp_path / name / out), *arguments, "--average", "3"]) == 0
        counts = summary(tmp_path / "aime-2024" / "m" / name)
        assert (counts["failed"], counts["missing"], counts["answered"]) == ("1", "1", "1"), name


@pytest.mark.parametrize("name", [*ROUND_TRIPS, "as it is"])
def test_answers_in_tags_come_back(name: str, tmp_path: Path) -> None:
    """With thoughts that the prompt had begun, and thoughts that an endpoint gave apart."""
    responses = {
        "opened": (
            "2 + 3</think><answer>5</answer>",
            {"opening": "<think>", "tag_tokens": {"think": 5, "refine": 0, "answer": 1}},
        ),
        "apart": ("<answer>5</answer>", {"reasoning": "2 + 3", "methods": {"slot": {"loss": 0.5}}}),
        "untagged": ("it is \\boxed{5}", {}),
    }
    samples = [sample(key, 0, None, "5", response=text, **own) for key, (text, own) in responses.items()]
    run = write_run(tmp_path / "run", samples, dict.fromkeys(responses, "5"), k=1)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["run"]["data"]["answer_format"] = "tags"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert rescore([str(run)]) == 0
    out = tmp_path / ROUND_TRIPS.get(name, "run")
    if name in ROUND_TRIPS:
        assert export([str(run), "--to", name, "-o", str(out)]) == 0
    told = [] if name in ("inspect", "as it is") else ["--answer_format", "tags"]
    names = ["--model", "tiny", "--run_name", "here", *told]
    assert bring([str(out), "--questions_from", str(run), "--output_dir", str(tmp_path / "in"), *names]) == 0
    there, here = read_run(run), read_run(tmp_path / "in" / "aime-2024" / "tiny" / "here")
    assert [s.status for s in here.samples.values()] == ["correct", "correct", "no_answer"]
    assert {key: (s.opening, s.reasoning) for key, s in here.samples.items()} == {
        key: (s.opening, s.reasoning) for key, s in there.samples.items()
    }
    if name not in ("jsonl", "csv", "parquet"):
        assert [(s.tag_tokens, s.methods) for s in here.samples.values()] == [
            (s.tag_tokens, s.methods) for s in there.samples.values()
        ]
    assert rescore([str(here.directory)]) == 0
    assert read_run(here.directory).samples == here.samples


def test_an_inspect_log_holds_what_its_reader_asks_for(run: Path, tmp_path: Path) -> None:
    assert export([str(run), "--to", "inspect", "-o", str(tmp_path / "run.eval")]) == 0
    with zipfile.ZipFile(tmp_path / "run.eval") as archive:
        header = json.loads(archive.read("header.json"))
        names = set(archive.namelist())
    assert header["version"] == 2
    assert {"summaries.json", "samples/aime-0_epoch_1.json", "samples/aime-5_epoch_3.json"} <= names
    accuracy = header["results"]["scores"][0]["metrics"]["accuracy"]["value"]
    assert f"{100 * accuracy:.1f}" == summary(run)["avg@k"]


def test_every_eval_ever_has_the_metrics_with_their_intervals(run: Path, tmp_path: Path) -> None:
    assert export([str(run), "--to", "every-eval-ever", "-o", str(tmp_path)]) == 0
    (aggregate,) = tmp_path.glob("*.json")
    log = json.loads(aggregate.read_text())
    (instances,) = tmp_path.glob("*.jsonl")
    assert log["detailed_evaluation_results"]["total_rows"] == len(instances.read_text().splitlines()) == 18
    for result, name in zip(log["evaluation_results"], ("avg", "cons", "pass"), strict=True):
        interval = result["score_details"]["uncertainty"]["confidence_interval"]
        row = summary(run)
        assert f"{100 * result['score_details']['score']:.1f}" == row[f"{name}@k"]
        assert f"{100 * interval['lower']:.1f}" == row[f"{name}@k_low"]
        assert f"{100 * interval['upper']:.1f}" == row[f"{name}@k_high"]


def test_a_models_page_takes_whole_benchmarks_only(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export([str(run), "--to", "hub-results", "-o", str(tmp_path / "a")]) == 2
    assert "6 of the 30 questions" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    whole = drawn_run(tmp_path / "whole", questions=30, k=1)
    assert export([str(whole), "--to", "hub-results", "-o", str(tmp_path / "a")]) == 0
    (entry,) = yaml.safe_load((tmp_path / "a" / ".eval_results" / "aime-2024.yaml").read_text())
    assert entry["dataset"]["id"] == "HuggingFaceH4/aime_2024"
    assert f"{entry['value']:.1f}" == summary(whole)["avg@k"]


def test_mistakes_are_one_sentence(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export([str(tmp_path), "--to", "csv"]) == 2
    assert "is not a run's directory" in capsys.readouterr().err
    assert export([str(run), "--to", "inspect", "-o", str(tmp_path / "x.csv")]) == 2
    assert "must end in .eval" in capsys.readouterr().err

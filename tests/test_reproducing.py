"""A run's own files make it again: `--config RUN/config.yaml` and `--dataset_path RUN/questions.jsonl`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from benchmark_rows import GPQA_ROWS

from evaluators.aime import BENCHMARK as AIME
from evaluators.benchmarks.benchmark import Benchmark
from evaluators.cli import main, planned
from evaluators.gpqa import BENCHMARK as GPQA
from evaluators.mini import BENCHMARK as MINI
from evaluators.running.folder import prepare
from evaluators.running.plan import RunPlan
from evaluators.settings.sources import ENVIRONMENT, read_settings


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and questions of the user's own."""
    monkeypatch.chdir(tmp_path)
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    (tmp_path / "mine.jsonl").write_text(
        "".join(json.dumps({"problem": f"{i}?", "answer": i}) + "\n" for i in range(9))
    )
    return tmp_path


def made(benchmark: Benchmark, *flags: str) -> RunPlan:
    """The plan of a run, its folder begun."""
    plan = planned(benchmark, read_settings(benchmark, flags))
    plan.directory.mkdir(parents=True, exist_ok=True)
    prepare(plan)
    return plan


RUNS: list[tuple[Benchmark, list[str]]] = [
    (MINI, []),
    (MINI, ["--method", "srgen", "--lr", "0.3", "--average", "3", "--batch_size", "2", "--record_entropy"]),
    (MINI, ["--method", "srgen+slot", "--slot_times", "2", "--thinking_budget", "8", "--no-do_sample"]),
    (MINI, ["--system_prompt", "", "--prefix", "So\\n", "--chat_template_kwargs", '{"b": 1, "a": 2}']),
    (MINI, ["--prompt_role", "user", "--eval_samples", "4", "--seed", "7"]),
    (MINI, ["--backend", "openai", "--base_url", "http://h/v1"]),
    (AIME, ["--dataset_path", "mine.jsonl"]),
]


@pytest.mark.parametrize(("benchmark", "flags"), RUNS, ids=[" ".join(flags) for _, flags in RUNS])
def test_its_config_makes_the_same_run(benchmark: Benchmark, flags: list[str]) -> None:
    first = made(benchmark, "--model_path", "m", *flags)
    config = str(first.directory / "config.yaml")
    again = planned(benchmark, read_settings(benchmark, ["--config", config]))
    assert again == first
    other = planned(benchmark, read_settings(benchmark, ["--config", config, "--temperature", "0.9"]))
    assert other.config.sampling.temperature == 0.9
    assert other.directory != first.directory


def test_the_config_of_another_benchmark_and_of_an_imported_run(capsys: pytest.CaptureFixture[str]) -> None:
    directory = made(MINI, "--model_path", "m").directory
    assert main(AIME, ["--config", str(directory / "config.yaml")]) == 2
    assert capsys.readouterr().err.endswith("config.yaml is a run of 'mini', not of aime\n")
    record: dict[str, Any] = yaml.safe_load((directory / "config.yaml").read_text())
    (directory / "config.yaml").write_text(yaml.safe_dump(record | {"imported": {"source": "x"}}))
    assert main(MINI, ["--config", str(directory / "config.yaml")]) == 2
    assert "is of an imported run" in capsys.readouterr().err


@pytest.mark.parametrize("role", ["system", "user"])
def test_its_questions_are_asked_again_as_they_were(role: str) -> None:
    first = made(MINI, "--model_path", "m", "--prompt_role", role, "--eval_samples", "5")
    path = str(first.directory / "questions.jsonl")
    again = planned(MINI, read_settings(MINI, ["--model_path", "m", "--prompt_role", role, "--dataset_path", path]))
    assert again.questions == first.questions
    assert again.directory.parts[1] == "mini-questions"


def test_options_that_were_shuffled_stay_where_they_were(here: Path) -> None:
    (here / "gpqa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in GPQA_ROWS))
    first = made(GPQA, "--model_path", "m", "--dataset_path", "gpqa.jsonl", "--seed", "1")
    path = str(first.directory / "questions.jsonl")
    again = planned(GPQA, read_settings(GPQA, ["--model_path", "m", "--dataset_path", path, "--seed", "2"]))
    assert again.questions == first.questions

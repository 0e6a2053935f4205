"""A study with the scripted engine: as functions for tests, and as a program that tests can kill.

python scripted_study.py STUDY.yaml SCRIPT, the last as JSON: what the study's command does, status included
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from scripted_engine import Script
from scripted_run import program, samples

from evaluators.running.plan import EngineChoice
from evaluators.settings.run_config import RunConfig
from evaluators.study import work
from evaluators.study.__main__ import main as command_of_a_study
from evaluators.study.reading import Study, read_study

MODELS = ("tiny-a", "tiny-b")
BENCHMARKS = ("aime", "gsm8k", "mini")
METHODS = {"base": {}, "srgen": {"method": "srgen"}, "srgen-T5": {"method": "srgen", "times": 5}}


def write_study(
    folder: Path,
    *,
    questions: int,
    average: int,
    output: str = "results",
    models: Sequence[str] = MODELS,
    benchmarks: Sequence[str] = BENCHMARKS,
    **settings: Any,
) -> Path:
    """A study of tiny models, local questions and three methods; model folders hold what is checked before a run."""
    for name in models:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "config.json").write_text("{}")
    rows = [
        {"id": f"q{i}", "problem": f"What is {i}?", "question": f"What is {i}?", "answer": "1"}
        for i in range(questions)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = {
        "models": {name: {"model_path": str(folder / name)} for name in models},
        "benchmarks": {name: {"dataset_path": str(folder / "questions.jsonl")} for name in benchmarks},
        "methods": METHODS,
        "average": average,
        "settings": {"output_dir": str(folder / output), **settings},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def engine_of(script: Script, broken: str = "") -> work.EngineOf:
    """What the workers of a model load; those of the `broken` one fail."""

    def choose(config: RunConfig) -> EngineChoice:
        if broken and config.model.model_path.endswith(broken):
            return Script(unusable=f"{broken} is damaged").engine
        return script.engine

    return choose


def run_study(path: Path, script: Script, broken: str = "") -> work.Sitting:
    study = read_study(path)
    sitting = work.plan(study, study.cells)
    assert work.work(sitting, engine=engine_of(script, broken))
    return sitting


def start(path: Path, **script: Any) -> subprocess.Popen[str]:
    return program(Path(__file__), str(path), json.dumps(script))


def assert_complete(study: Study, questions: int, average: int) -> None:
    """Every sample of every cell is there, exactly once, in a folder of its own."""
    directories = {status.directory for status in work.statuses(study, study.cells)}
    assert len(directories) == len(study.cells)
    for directory in directories:
        assert directory is not None
        found = Counter((sample["question_id"], sample["sample"]) for sample in samples(directory))
        assert set(found.values()) == {1}
        assert len(found) == questions * average


if __name__ == "__main__":
    sys.modules["matplotlib"] = None  # type: ignore[assignment]  # plots take seconds; the report goes without
    work.work = functools.partial(work.work, engine=engine_of(Script(**json.loads(sys.argv[2]))))
    sys.exit(command_of_a_study([sys.argv[1]]))

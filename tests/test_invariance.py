"""The embedded model's samples are the same however the work is spread."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluators.benchmarks.benchmark import Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.running.plan import RunPlan
from evaluators.running.run import evaluate
from evaluators.settings.run_config import ExecutionConfig, ModelConfig, RunConfig
from srgen.config import Sampling, SRGenConfig

TOPICS = ("apples", "trains", "the moon", "bread", "a clock", "rain", "two dogs", "a bridge", "seven hats", "salt")
SPREADS = ((1, 25), (2, 4))
"""(workers, batch size)."""


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.usefixtures("demo_model")
def test_samples_depend_neither_on_workers_nor_on_batches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [_tokens(tmp_path / f"{workers}-{batch_size}", workers, batch_size) for workers, batch_size in SPREADS]
    different = [key for key in runs[0] if any(run[key] != runs[0][key] for run in runs[1:])]
    with capsys.disabled():
        print(f"\n{len(runs[0]) - len(different)} of {len(runs[0])} samples have the same tokens in all of {SPREADS}")
    assert len(runs[0]) == 50
    assert len(different) <= 1, different


def _tokens(directory: Path, workers: int, batch_size: int) -> dict[tuple[str, int], Any]:
    questions = [
        Question(id=topic, prompt=f"Tell me something about {topic}.", gold="1", kind="integer") for topic in TOPICS
    ]
    config = RunConfig(
        model=ModelConfig(model_path="demo", dtype="float32"),
        data=DataConfig(benchmark="invariance"),
        sampling=Sampling(temperature=0.9, max_new_tokens=12),
        srgen=SRGenConfig(adaptive_entropy=False, entropy_threshold=3.0, max_retries=1),
        average=5,
        record_entropy=True,
        execution=ExecutionConfig(device="cpu", workers=workers, batch_size=batch_size),
    )
    plan = RunPlan(config=config, questions=questions, system_prompt="Be brief.", directory=directory)
    assert evaluate(plan) == 0
    rows = (json.loads(line) for line in (directory / "entropies.jsonl").read_text("utf-8").split("\n") if line)
    return {(row["question_id"], row["sample"]): row["tokens"] for row in rows}

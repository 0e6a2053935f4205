"""Inspect with the provider `srgen`, and its own readers on what we export: the real package, the embedded model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from synthetic_runs import drawn_run
from tasks import PROBLEMS, SYSTEM, TOKENS, engine_tokens

from evaluators.exporting import main as export
from evaluators.importing import main as bring
from evaluators.records.reading import read_run
from srgen.config import SRGenConfig
from srgen.demo_model import demo_folder

pytest.importorskip("inspect_ai")
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, system_message

TRIGGERS = {"entropy_threshold": 1.0, "adaptive_entropy": False, "max_retries": 3}


@pytest.mark.parametrize("srgen", [None, TRIGGERS], ids=["base", "srgen"])
def test_the_same_tokens_as_the_engine(srgen: dict[str, Any] | None, tmp_path: Path) -> None:
    samples = [Sample(id=row["id"], input=row["problem"], target=row["answer"]) for row in PROBLEMS]
    (log,) = eval(
        Task(dataset=samples, solver=[system_message(SYSTEM), generate()], scorer=includes()),
        model=f"srgen/{demo_folder()}",
        model_args={"device": "cpu", "dtype": "float32", **(srgen or {"use_entropy_control": False})},
        temperature=0,
        max_tokens=TOKENS,
        log_dir=str(tmp_path),
        display="none",
    )
    assert log.status == "success", log.error
    expected = engine_tokens(SRGenConfig(**srgen) if srgen else None)
    samples_there = sorted(log.samples or [], key=lambda sample: str(sample.id))
    assert [sample.output.completion for sample in samples_there] == [completion.text for completion in expected]
    counts = [(sample.output.metadata or {})["reflection_count"] for sample in samples_there]
    assert counts == [len(completion.reflections) for completion in expected]
    # What inspect itself has written comes in as a run.
    questions = tmp_path / "questions.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    place = ["--dataset_path", str(questions), "--output_dir", str(tmp_path / "in"), "--run_name", "here"]
    assert bring([log.location, "--benchmark", "gsm8k", *place]) == 0
    (run,) = (tmp_path / "in").rglob("here")
    brought = [sample for _, sample in sorted(read_run(run).samples.items())]
    assert [sample.response for sample in brought] == [done.text for done in expected]
    assert [sample.reflections for sample in brought] == counts


def test_inspect_reads_what_we_export(tmp_path: Path) -> None:
    from inspect_ai.analysis import samples_df

    run = drawn_run(tmp_path / "run", questions=4, k=2, srgen=True)
    assert export([str(run), "--to", "inspect", "-o", str(tmp_path / "run.eval")]) == 0
    log = read_eval_log(str(tmp_path / "run.eval"))
    assert (log.version, len(log.samples or [])) == (2, 8)
    table = samples_df(str(tmp_path / "run.eval"))
    right = [sample.correct for sample in read_run(run).samples.values()]
    assert sorted(table["score_srgen"] == "C") == sorted(right)


def test_every_eval_ever_validates(tmp_path: Path) -> None:
    import importlib.util

    from jsonschema import validate

    found = importlib.util.find_spec("every_eval_ever")
    assert found is not None, "scripts/test_plugins.sh installs every-eval-ever"
    assert found.origin is not None
    schemas = Path(found.origin).parent / "schemas"
    run = drawn_run(tmp_path / "run", questions=4, k=2, srgen=True)
    assert export([str(run), "--to", "every-eval-ever", "-o", str(tmp_path / "out")]) == 0
    (aggregate,), (instances,) = (tmp_path / "out").glob("*.json"), (tmp_path / "out").glob("*.jsonl")
    validate(json.loads(aggregate.read_text()), json.loads((schemas / "eval.schema.json").read_text()))
    schema = json.loads((schemas / "instance_level_eval.schema.json").read_text())
    rows = [json.loads(line) for line in instances.read_text().splitlines()]
    assert len(rows) == 8
    for row in rows:
        validate(row, schema)

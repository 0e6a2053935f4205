from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from scripted_engine import Script
from scripted_run import assert_complete, content, plan, run, run_config, samples

from evaluators.running.run import evaluate
from evaluators.running.tasks import Tasks
from evaluators.settings.run_config import sample_seed
from srgen.engines.base import Request
from srgen.errors import ConfigError, SRGenError


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("finished")
    assert run(directory, Script(hopeless=frozenset({"q3/1"})), config=run_config(record_entropy=True)) == 0
    return directory


def test_every_sample_is_graded_and_journaled_once(finished: Path) -> None:
    assert_complete(finished, 12, 2)
    for sample in samples(finished):
        if sample["status"] != "failed":
            assert sample["answer"] == re.findall(r"\d", sample["response"])[-1]
            assert sample["correct"] == (sample["answer"] == "1") == (sample["status"] == "correct")


def test_what_the_engine_refuses_is_failed_with_its_reason(finished: Path) -> None:
    (failed,) = [sample for sample in samples(finished) if sample["status"] == "failed"]
    assert (failed["question_id"], failed["sample"]) == ("q3", 1)
    assert failed["error"] == "the prompt is too long"
    assert not failed["correct"]


def test_the_directory_says_where_it_comes_from(finished: Path) -> None:
    record = yaml.safe_load((finished / "config.yaml").read_text())
    assert record["run"]["sampling"]["temperature"] == 0.6
    assert record["run"]["average"] == 2
    assert re.fullmatch("[0-9a-f]{64}", record["questions_hash"])
    assert {"python", "torch", "transformers", "srgen"} <= set(record["versions"])
    assert record["hardware"]["cpu_cores"] >= 1
    assert "git_commit" in record
    asked = [json.loads(line) for line in (finished / "questions.jsonl").read_text().splitlines()]
    assert asked[3] == {"id": "q3", "prompt": "What is 3?", "gold": "1", "kind": "integer", "metadata": {}}
    timing = json.loads((finished / "timing.json").read_text())
    assert timing["sessions"] == 1
    assert timing["wall_seconds"] > 0


def test_recordings_match_the_samples(finished: Path) -> None:
    rows = [json.loads(line) for line in (finished / "entropies.jsonl").read_text().splitlines()]
    recorded = {(row["question_id"], row["sample"]): row for row in rows}
    for sample in samples(finished):
        row = recorded[sample["question_id"], sample["sample"]]
        assert len(row["tokens"]) == len(row["entropies"]) == sample["generated_tokens"]
        assert row["entropies"][0] is None
    reflections = [json.loads(line) for line in (finished / "reflections.jsonl").read_text().splitlines()]
    assert len(reflections) == 24
    assert set(reflections[0]) == {
        *("question_id", "sample", "position", "entropy_before", "entropy_after"),
        *("threshold", "losses", "delta_norm", "token_before", "token_after"),
        *("probabilities_before", "probabilities_after"),
    }
    assert reflections[0]["token_before"] == "<7>"


def test_entropies_are_copied_to_a_file_of_the_users_choice(finished: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "mine.jsonl"
    options = {"config": run_config(record_entropy=True), "entropy_output_file": target}
    assert run(finished, Script(), **options) == 0
    assert target.read_text() == (finished / "entropies.jsonl").read_text()


def test_each_worker_has_its_log_and_the_parent_prints_no_noise(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, Script(), config=run_config(workers=2)) == 0
    output = capfd.readouterr()
    assert "scripted engine" not in output.out + output.err
    assert "Avg@2" in output.out
    begun, progress = output.err.splitlines()
    assert begun == f"scripted scripted {tmp_path.name}: 24 samples"
    assert progress.startswith("24 of 24 samples, ")
    for name in ("cpu:0", "cpu:1"):
        log = (tmp_path / "logs" / f"{name.replace(':', '-')}.log").read_text().splitlines()
        assert (log[0], log[-1].split()[0]) == ("loading the scripted engine", "closed")


def test_samples_depend_neither_on_workers_nor_on_batches(finished: Path, tmp_path: Path) -> None:
    for workers, batch_size in ((1, 1), (2, 3)):
        directory = tmp_path / f"{workers}"
        script = Script(batch_size=batch_size, hopeless=frozenset({"q3/1"}))
        assert run(directory, script, config=run_config(workers=workers)) == 0
        assert content(directory) == content(finished)


def test_nothing_is_done_twice(finished: Path) -> None:
    before = (finished / "samples.jsonl").read_bytes(), (finished / "timing.json").read_bytes()
    assert run(finished, Script(unusable="loaded for nothing"), config=run_config(record_entropy=True)) == 0
    assert ((finished / "samples.jsonl").read_bytes(), (finished / "timing.json").read_bytes()) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 7}, "seed (42 there, 7 here)"),
        ({"average": 3}, "average (2 there, 3 here)"),
    ],
)
def test_another_configuration_is_named(finished: Path, change: dict[str, int], named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        run(finished, Script(), config=run_config(**{"record_entropy": True, **change}))


def test_other_questions_are_named(finished: Path) -> None:
    with pytest.raises(ConfigError, match="questions_hash"):
        run(finished, Script(), count=11, config=run_config(record_entropy=True))


def test_how_the_work_is_spread_may_change(finished: Path) -> None:
    assert run(finished, Script(), config=run_config(record_entropy=True, workers=2, batch_size=3)) == 0


def test_without_resume_a_users_samples_are_left_alone(finished: Path) -> None:
    before = (finished / "samples.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="choose another --run_name, or delete it"):
        evaluate(dataclasses.replace(plan(finished, 12, run_config(record_entropy=True)), resume=False))
    assert (finished / "samples.jsonl").read_bytes() == before


def test_a_model_that_cannot_be_loaded_ends_the_run_with_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no model folder here"):
        run(tmp_path, Script(unusable="there is no model folder here"), config=run_config(workers=2))


def test_workers_that_never_get_ready_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(SRGenError, match="RuntimeError: the driver is not there"):
        run(tmp_path, Script(crashes=True))
    assert "the driver is not there" in (tmp_path / "logs" / "cpu-0.log").read_text()


def test_nan_is_no_json(finished: Path) -> None:
    def refuse(name: str) -> float:
        raise AssertionError(name)

    for name in ("samples.jsonl", "entropies.jsonl", "reflections.jsonl"):
        for line in (finished / name).read_text().splitlines():
            json.loads(line, parse_constant=refuse)


def test_the_parent_does_not_import_torch() -> None:
    code = "import sys, evaluators.running.run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_engine_is_asked_with_the_system_prompt_and_the_samples_seed(tmp_path: Path) -> None:
    def request(system_prompt: str | None, name: str = "") -> Request:
        asked = dataclasses.replace(plan(tmp_path, 2, run_config(seed=5), name), system_prompt=system_prompt)
        return Tasks(asked).request(f"{name}:q1/0" if name else "q1/0")

    asked = request("Be brief.")
    assert isinstance(asked.prompt, tuple)
    assert [(message.role, message.content) for message in asked.prompt] == [  # type: ignore[union-attr]
        ("system", "Be brief."),
        ("user", "What is 1?"),
    ]
    assert asked.seed == request("Be brief.", "a/b").seed == sample_seed(5, "q1", 0)
    assert len(request(None).prompt) == 1

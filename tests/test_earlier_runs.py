"""Runs that an earlier commit left behind (tests/before_layout) are graded again, resumed, compared and reported."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from pathlib import Path

import pytest

from evaluators import compare, report, rescore
from evaluators.cli import main
from evaluators.mini import BENCHMARK

BEFORE = Path(__file__).parent / "before_layout"
SETTINGS = "--model_path demo --average 3 --eval_samples 4 --max_new_tokens 48 --seed 7 --device cpu --record_entropy "
SETTINGS += "--use_entropy_control --entropy_threshold 1.0 --no-adaptive_entropy --max_retries 2 "
SETTINGS += "--reflection sketch"
"""What the SRGen run was started with, and the way to keep contexts that was then the default."""
OWED = 2
"""Samples that it lacks."""


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.model
def test_an_earlier_run_is_graded_again_and_resumed(tmp_path: Path, demo_model: None) -> None:
    before, run = BEFORE / "srgen", tmp_path / "mini" / "demo" / "srgen"
    shutil.copytree(before, run)
    for file in ("questions.csv", "summary.csv"):
        (run / file).unlink()
    journal = (run / "samples.jsonl").read_text().splitlines(keepends=True)
    (run / "samples.jsonl").write_text("".join(journal[:-OWED]))
    assert rescore.main([str(run)]) == 0
    assert main(BENCHMARK, [*SETTINGS.split(), "--output_dir", str(tmp_path), "--run_name", "srgen"]) == 0
    kept, made = lines(before / "samples.jsonl"), lines(run / "samples.jsonl")
    assert [{key: now[key] for key in old} for old, now in zip(kept, made[:-OWED], strict=False)] == kept[:-OWED]
    assert {(sample["question_id"], sample["seed"]) for sample in made} == {(s["question_id"], s["seed"]) for s in kept}
    # The same seeds give the same samples, so the tables are those of the run that was never interrupted.
    assert (run / "questions.csv").read_text() == (before / "questions.csv").read_text()


def test_earlier_runs_are_compared_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(BEFORE / "base"), str(BEFORE / "srgen")]
    assert compare.main([*runs, "--output_dir", str(tmp_path)]) == 0
    assert report.main([*runs, "-o", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    told = "".join(
        gzip.decompress(base64.b64decode(packed)).decode()
        for packed in re.findall(r'<script type="text/plain" id="(?:document|chunk)-[^"]*">([^<]*)<', page)
    )
    assert '"srgen"' in told
    assert all(str(row["id"]) in told for row in lines(BEFORE / "base" / "questions.jsonl"))

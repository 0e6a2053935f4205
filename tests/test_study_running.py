"""Studies with real processes: models loaded once, busy workers, kills, failures, the table of single runs."""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scripted_engine import Script
from scripted_run import generating, kill_at_random, lines, wait_for
from scripted_study import BENCHMARKS, METHODS, MODELS, assert_complete, run_study, start, write_study

from evaluators.presentation.study_tables import csv_table, text_table
from evaluators.running.run import evaluate
from evaluators.study import table, work
from evaluators.study.overview import status_table
from evaluators.study.reading import read_study

CELLS = len(MODELS) * len(BENCHMARKS) * len(METHODS)
QUICK = Script(median_steps=5, step_seconds=0, batch_size=64)


def test_models_are_loaded_once_and_no_worker_idles_between_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_study(tmp_path, questions=10, average=2, workers=4)
    script = Script(median_steps=55, step_seconds=0.005, sigma=0.8, seed=1)
    shares = []
    for attempt in range(3):  # a stalled machine takes a percent or two
        study = read_study(write_study(tmp_path, questions=10, average=2, output=f"results{attempt}", workers=4))
        run_study(path, script)
        logs = list((study.directory / "logs").glob("*.log"))
        assert len(logs) == 4
        loads = [log.read_text().count("loading the scripted engine") for log in logs]
        assert loads == [len(MODELS)] * 4, "each worker loads each model once, whatever its cells"
        assert_complete(study, 10, 2)
        shares.append(generating(logs))
        if shares[-1] >= 0.95:
            break
    with capsys.disabled():
        print(f"\nbusy over {CELLS} cells of {len(MODELS)} models, loading apart: {100 * shares[-1]:.1f} %")
    assert shares[-1] >= 0.95


def test_the_parent_is_killed_twenty_times_and_the_table_is_that_of_single_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = {"median_steps": 5, "step_seconds": 0.01, "batch_size": 2}
    path = write_study(tmp_path, questions=16, average=2, workers=2, max_attempts=1000)
    study = read_study(path)
    kills = kill_at_random(functools.partial(start, path, **script), tmp_path / "results", 20)
    with capsys.disabled():
        print(f"\nsamples in {CELLS} journals at each kill: {kills}")
    assert len(set(kills)) > 10
    assert kills[-1] < CELLS * 32, "the study was not done before the last kill"
    sitting = run_study(path, QUICK)
    assert_complete(study, 16, 2)
    ours = csv_table(table.table(sitting))

    alone = read_study(write_study(tmp_path, questions=16, average=2, output="alone"))
    plans = work.plan(alone, alone.cells).plans
    for run in plans.values():
        assert evaluate(run, engine=QUICK.engine) == 0
    assert csv_table(table.finished_table(alone, alone.cells)) == ours


def test_a_model_that_does_not_load_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    path = write_study(tmp_path, questions=2, average=1, workers=2)
    sitting = run_study(path, QUICK, broken="tiny-a")
    assert not sitting.complete
    assert set(sitting.failures.values()) == {"tiny-a is damaged"}
    assert {name.split("/")[0] for name in sitting.failures} == {"tiny-a"}
    assert all(outcome.complete for name, outcome in sitting.outcomes.items() if name.startswith("tiny-b"))
    assert "tiny-a/aime/base and 8 more: tiny-a is damaged" in text_table(table.table(sitting))
    states = status_table(work.statuses(sitting.study, sitting.cells))
    assert states.count("failed") == states.count("complete") == 9
    assert run_study(path, QUICK).complete, "once the model loads, the same study finishes it"
    assert "failed" not in status_table(work.statuses(sitting.study, sitting.cells))


def test_another_process_in_a_cells_folder_fails_that_cell_only(tmp_path: Path) -> None:
    path = write_study(tmp_path, questions=2, average=1, workers=2, models=MODELS[:1])
    study = read_study(path)
    first = work.plan(study, study.cells).plans["tiny-a/aime/base"]
    first.directory.mkdir(parents=True)
    (first.directory / "samples.jsonl").write_text("{}\n")
    sitting = run_study(path, QUICK)
    assert list(sitting.failures) == ["tiny-a/aime/base"]
    assert "holds samples but no config.yaml" in sitting.failures["tiny-a/aime/base"]


def test_status_can_be_asked_while_the_study_runs(tmp_path: Path) -> None:
    path = write_study(tmp_path, questions=4, average=2, workers=2, models=MODELS[:1])
    process = start(path, median_steps=30, step_seconds=0.01)
    try:
        wait_for(lambda: lines(tmp_path / "results") > 3)
        study = read_study(path)
        shown = status_table(work.statuses(study, study.cells))
        assert "9 cells, 72 samples" in shown
        assert "the rest takes about" in shown
        assert "begun" in shown or "complete" in shown
        time.sleep(0.5)
    finally:
        process.kill()
        process.communicate()


def test_workers_do_not_import_statistics() -> None:
    code = (
        "import sys, evaluators.study.__main__; print({'torch', 'scipy', 'pandas', 'transformers'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"

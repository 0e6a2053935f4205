"""Real processes, real kills."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
from scripted_engine import Script
from scripted_run import (
    assert_as_undisturbed,
    assert_complete,
    assert_pulling_beats_a_split,
    children,
    generating,
    generating_if_split,
    one_killed_a_second,
    run,
    run_config,
    samples,
    start,
    wait_for,
)

WORKERS = 4


def test_pulling_keeps_the_workers_busy_where_a_split_in_advance_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(median_steps=40, sigma=1.4, seed=1)

    def measure(directory: Path) -> tuple[float, float]:
        assert run(directory, script, count=30, config=run_config(average=8, workers=WORKERS)) == 0
        return generating((directory / "logs").glob("*.log")), generating_if_split(directory, 30, WORKERS)

    assert_pulling_beats_a_split(measure, tmp_path, capsys)


def test_random_workers_are_killed_every_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = Script(median_steps=100, step_seconds=0.004, batch_size=2, seed=3)
    config = run_config(average=5, workers=WORKERS, max_attempts=1000)
    with one_killed_a_second(functools.partial(_workers_of, os.getpid()), tmp_path) as killed:
        assert run(tmp_path / "run", script, count=60, config=config) == 0
    with capsys.disabled():
        print(f"\n{len(killed)} workers killed with SIGKILL, at most one a second")
    assert len(killed) >= 12
    assert all(sample["status"] != "failed" for sample in samples(tmp_path / "run"))
    quick = Script(median_steps=100, step_seconds=0, batch_size=64, seed=3)
    assert_as_undisturbed(tmp_path / "run", tmp_path / "undisturbed", 60, 5, quick)


def test_a_sample_that_kills_its_workers_is_recorded_and_takes_no_other_with_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = Script(batch_size=4, deadly=frozenset({"q5/1"}))
    assert run(tmp_path, script, config=run_config(workers=2)) == 0
    assert_complete(tmp_path, 12, 2)
    (failed,) = [sample for sample in samples(tmp_path) if sample["status"] == "failed"]
    assert (failed["question_id"], failed["sample"], failed["correct"]) == ("q5", 1, False)
    assert (
        failed["error"] == "lost with its worker 3 times, at last: killed by SIGKILL (by hand, or for want of memory)"
    )
    output = capfd.readouterr()
    assert "1 failed" in output.err
    assert "the first is q5/1" in output.err


def test_out_of_memory_halves_the_batch(tmp_path: Path) -> None:
    script = Script(batch_size=8, memory=3, median_steps=20)
    assert run(tmp_path, script) == 0
    assert_complete(tmp_path, 12, 2)
    assert all(sample["status"] != "failed" for sample in samples(tmp_path))
    log = (tmp_path / "logs" / "cpu-0.log").read_text()
    assert [line for line in log.splitlines() if "memory" in line] == [
        "out of memory: going on with batches of 4",
        "out of memory: going on with batches of 2",
    ]
    assert log.count("loading") == 1, "the model stays loaded"


def test_what_does_not_fit_alone_fails(tmp_path: Path) -> None:
    script = Script(batch_size=2, memory=0)
    assert run(tmp_path, script, count=1, config=run_config(average=1, max_attempts=2)) == 0
    (failed,) = samples(tmp_path)
    assert failed["status"] == "failed"
    assert "OutOfMemoryError: CUDA out of memory" in failed["error"]


def test_a_silent_worker_is_replaced_and_a_slow_one_is_not(tmp_path: Path) -> None:
    script = Script(silent=frozenset({"q2/0"}), batch_size=2, median_steps=400, step_seconds=0.01, sigma=0)
    config = run_config(average=1, workers=2, worker_timeout=2.5, max_attempts=2)
    assert run(tmp_path, script, count=5, config=config) == 0
    assert_complete(tmp_path, 5, 1)
    failed = {sample["question_id"]: sample["error"] for sample in samples(tmp_path) if sample["status"] == "failed"}
    assert failed == {"q2": "lost with its worker 2 times, at last: said nothing for 2.5 seconds"}


def _workers_of(parent: int) -> list[int]:
    """Processes that multiprocessing has spawned for `parent`."""
    return children(parent, "spawn_main")


def test_workers_go_with_their_parent(tmp_path: Path) -> None:
    process = start(tmp_path, 20, 2, 2, median_steps=500, step_seconds=0.01)
    wait_for(lambda: len(_workers_of(process.pid)) == 2)
    workers = _workers_of(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(_alive(worker) for worker in workers))


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False

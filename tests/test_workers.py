"""Real processes, real kills."""

from __future__ import annotations

import functools
import os
import threading
import time
from pathlib import Path

import pytest
from scripted_engine import Script
from scripted_run import (
    assert_complete,
    children,
    content,
    generating,
    generating_if_split,
    kill_one_a_second,
    run,
    run_config,
    samples,
    start,
)

WORKERS = 4


def test_pulling_keeps_the_workers_busy_where_a_split_in_advance_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(median_steps=40, sigma=1.4, seed=1)
    for attempt in range(3):  # a machine that stalls for a moment takes a percent or two
        pulled, split = _busy(tmp_path / str(attempt), script, count=30, average=8)
        with capsys.disabled():
            print(f"\nbusy: {100 * pulled:.1f} % by pulling, {100 * split:.1f} % by a split in advance")
        if pulled >= 0.95:
            break
    assert pulled >= 0.95
    assert 0.55 <= split <= 0.75


def _busy(directory: Path, script: Script, *, count: int, average: int) -> tuple[float, float]:
    """Share of their time that the workers generated, and what a split of the questions in advance would give."""
    assert run(directory, script, count=count, config=run_config(average=average, workers=WORKERS)) == 0
    return generating((directory / "logs").glob("*.log")), generating_if_split(directory, count, WORKERS)


def test_random_workers_are_killed_every_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = Script(median_steps=100, step_seconds=0.004, batch_size=2, seed=3)
    config = run_config(average=5, workers=WORKERS, max_attempts=1000)
    stop = threading.Event()
    killed: list[int] = []
    of_this_run = functools.partial(_workers_of, os.getpid())
    killer = threading.Thread(target=kill_one_a_second, args=(of_this_run, 30, stop, killed), daemon=True)
    killer.start()
    assert run(tmp_path, script, count=60, config=config) == 0
    stop.set()
    killer.join()
    with capsys.disabled():
        print(f"\n{len(killed)} workers killed with SIGKILL, one a second")
    assert len(killed) >= 20
    assert_complete(tmp_path, 60, 5)
    assert all(sample["status"] != "failed" for sample in samples(tmp_path))
    undisturbed = tmp_path / "undisturbed"
    assert (
        run(undisturbed, Script(seed=3, median_steps=100, step_seconds=0, batch_size=64), count=60, config=config) == 0
    )
    assert content(tmp_path) == content(undisturbed)


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
    log = (tmp_path / "logs" / "cpu:0.log").read_text()
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
    deadline = time.monotonic() + 60
    while len(workers := _workers_of(process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.kill()
    process.communicate()
    while any(_alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False

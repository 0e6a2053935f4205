"""A run that is killed, interrupted or out of space goes on with the same command, and nothing is lost or doubled."""

from __future__ import annotations

import functools
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_engine import Script
from scripted_run import (
    assert_as_undisturbed,
    assert_complete,
    kill_at_random,
    lines,
    run,
    run_config,
    samples,
    start,
    wait_for,
)

from evaluators.records.journal import exclusive

COUNT, AVERAGE, WORKERS = 80, 6, 2
SCRIPT = {"median_steps": 20, "step_seconds": 0.002, "batch_size": 2}


def test_the_parent_is_killed_twenty_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    begin = functools.partial(start, disturbed, COUNT, AVERAGE, WORKERS, **SCRIPT)
    kills = kill_at_random(begin, disturbed, 20)
    final = begin()
    _, error = final.communicate(timeout=120)
    assert final.returncode == 0, error
    with capsys.disabled():
        print(f"\nsamples in the journal at each kill: {kills}")
    assert len(set(kills)) > 10, "most kills fall into the generation"
    assert kills[-1] < COUNT * AVERAGE, "the run was not done before the last kill"
    quick = Script(median_steps=20, step_seconds=0, batch_size=64)
    assert_as_undisturbed(disturbed, undisturbed, COUNT, AVERAGE, quick)
    assert json.loads((disturbed / "timing.json").read_text())["sessions"] <= 21


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_the_run_in_order(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, COUNT, AVERAGE, WORKERS, **SCRIPT)
    wait_for(lambda: lines(tmp_path) > 5)
    process.send_signal(number)
    output, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Avg@6" in output, "what is there is printed"
    assert "the same command goes on from there" in error
    assert "Traceback" not in error
    done = lines(tmp_path)
    assert 5 < done < COUNT * AVERAGE
    assert len(samples(tmp_path)) == done
    config = run_config(average=AVERAGE)
    assert run(tmp_path, Script(median_steps=20, step_seconds=0, batch_size=64), count=COUNT, config=config) == 0
    assert_complete(tmp_path, COUNT, AVERAGE)


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, 20, 1, 1, median_steps=10**6, sigma=0)
    wait_for((tmp_path / "timing.json").exists)
    # The first is still being obeyed while the second arrives, or has been: both ways no sample is there to finish.
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert "the same command goes on from there" in error


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    first = start(tmp_path, COUNT, AVERAGE, 1, **SCRIPT)
    wait_for((tmp_path / "timing.json").exists)
    second = start(tmp_path, COUNT, AVERAGE, 1, **SCRIPT)
    _, error = second.communicate(timeout=60)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert error.strip().endswith(
        f"another process is writing to {tmp_path}; wait for it, or choose another --run_name"
    )
    with exclusive(tmp_path):
        assert True, "the lock went with the process that held it"


def test_a_full_disk_ends_in_one_sentence_and_the_run_goes_on_when_there_is_space(small_disk: Path) -> None:
    directory, ballast = small_disk / "run", small_disk / "ballast"
    ballast.write_bytes(b"\0" * 440 * 1024)
    stopped = start(directory, COUNT, AVERAGE, WORKERS, **SCRIPT)
    _, error = stopped.communicate(timeout=120)
    assert stopped.returncode == 1, error
    last = error.strip().splitlines()[-1]
    assert re.fullmatch(r"The run has stopped: No space left on device \(.*\)\. All graded samples are safe .*", last)
    assert "Traceback" not in error
    done = len(samples(directory))
    assert done < COUNT * AVERAGE
    ballast.unlink()
    assert start(directory, COUNT, AVERAGE, WORKERS, **SCRIPT).communicate(timeout=120)
    assert_complete(directory, COUNT, AVERAGE)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB, which takes root's rights; tests/test_fault_campaign.py fills a disk without them."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a tmpfs takes root")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)

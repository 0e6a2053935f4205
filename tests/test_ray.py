"""The same promises on a local cluster of two nodes."""

from __future__ import annotations

import functools
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from scripted_engine import Script
from scripted_run import (
    assert_as_undisturbed,
    assert_complete,
    assert_pulling_beats_a_split,
    children,
    content,
    generating,
    generating_if_split,
    kill_at_random,
    lines,
    one_killed_a_second,
    run,
    run_config,
    samples,
    start,
    wait_for,
)
from scripted_study import assert_complete as assert_complete_study
from scripted_study import start as start_study
from scripted_study import write_study

from evaluators.study.reading import read_study
from srgen.errors import ConfigError

ray = pytest.importorskip("ray", reason="Ray is an extra")

WORKERS = 4
NODE = {"num_cpus": WORKERS // 2, "num_gpus": 0, "object_store_memory": 80 * 2**20}


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = run_config(launcher="ray", ray_address="127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"the Ray cluster at 127\.0\.0\.1:1 cannot be reached"):
        run(tmp_path, Script(), config=config)


def test_without_ray_the_run_ends_with_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "evaluators.running.ray_fleet", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        ConfigError, match=r"the ray launcher needs Ray: run `pip install -e '.\[ray\]'` in the project's clone"
    ):
        run(tmp_path, Script(), config=run_config(launcher="ray"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head node that runs no worker, and two nodes with room for half of the workers each."""
    from ray.cluster_utils import Cluster

    # The nodes' workers find the scripted engine as an installed package would be found.
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0, "include_dashboard": False})
        cluster.lost = cluster.add_node(**NODE)
        cluster.add_node(**NODE)
        cluster.wait_for_nodes()
        yield cluster
        ray.shutdown()
        cluster.shutdown()


def on_cluster(cluster: Any, **options: Any) -> Any:
    return run_config(launcher="ray", ray_address=cluster.address, workers=WORKERS, **options)


def actors(cluster: Any) -> list[int]:
    """Processes of the cluster's actors."""
    raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()]
    return [actor for raylet in raylets for actor in children(raylet, "ray::_Actor")]


def test_a_node_is_lost_half_way_and_another_comes(cluster: Any, tmp_path: Path) -> None:
    script = Script(median_steps=60, sigma=0.5, step_seconds=0.01, batch_size=2, deadly=frozenset({"q3/1"}))
    with ThreadPoolExecutor(1) as background:
        status = background.submit(run, tmp_path, script, count=30, config=on_cluster(cluster, average=2))
        while (done := lines(tmp_path)) < 25:
            assert not status.done(), status.result()
            time.sleep(0.1)
        cluster.remove_node(cluster.lost, allow_graceful=False)
        cluster.add_node(**NODE)
        assert status.result(timeout=240) == 0
    assert done < 60, "the node was lost half-way"
    assert_complete(tmp_path, 30, 2)
    failed = [(sample["question_id"], sample["sample"]) for sample in samples(tmp_path) if sample["status"] == "failed"]
    assert failed == [("q3", 1)]
    assert {sample["worker"] for sample in samples(tmp_path)} == {f"ray:cpu{index}" for index in range(WORKERS)}
    logs = "".join(log.read_text() for log in (tmp_path / "logs").iterdir())
    assert "actor" in logs, "why the actors died is kept"
    local = tmp_path / "local"
    quick = Script(median_steps=60, sigma=0.5, step_seconds=0, batch_size=8, deadly=frozenset({"q3/1"}))
    assert run(local, quick, count=30, config=run_config()) == 0
    assert [row for row in content(tmp_path) if row[4] != "failed"] == [
        row for row in content(local) if row[4] != "failed"
    ]


def test_a_model_that_cannot_be_loaded_ends_the_run_with_its_sentence(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no model folder here"):
        run(tmp_path, Script(unusable="there is no model folder here"), config=on_cluster(cluster))


def test_pulling_keeps_the_actors_busy_where_a_split_in_advance_does_not(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(median_steps=40, sigma=1.4, seed=1)

    def measure(directory: Path) -> tuple[float, float]:
        began = time.monotonic()
        assert run(directory, script, count=30, config=on_cluster(cluster, average=8)) == 0
        logs = Path(cluster.head_node.get_session_dir_path(), "logs").glob("worker-*.out")
        return generating(logs, since=began), generating_if_split(directory, 30, WORKERS)

    assert_pulling_beats_a_split(measure, tmp_path, capsys)


def test_random_actors_are_killed_every_second(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(median_steps=100, step_seconds=0.004, batch_size=2, seed=3)
    with one_killed_a_second(functools.partial(actors, cluster), tmp_path) as killed:
        assert run(tmp_path / "run", script, count=30, config=on_cluster(cluster, average=6, max_attempts=1000)) == 0
    with capsys.disabled():
        print(f"\n{len(killed)} actors killed with SIGKILL, at most one a second")
    assert len(killed) >= 8
    quick = Script(median_steps=100, step_seconds=0, batch_size=64, seed=3)
    assert_as_undisturbed(tmp_path / "run", tmp_path / "undisturbed", 30, 6, quick)


def test_the_driver_is_killed_again_and_again(cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "run"
    script = {"median_steps": 20, "step_seconds": 0.004, "batch_size": 2}
    begin = functools.partial(start, directory, 40, 6, 2, ray_address=cluster.address, **script)
    kills = kill_at_random(begin, directory, 6)
    wait_for(lambda: not actors(cluster))
    final = begin()
    _, error = final.communicate(timeout=120)
    assert final.returncode == 0, error
    with capsys.disabled():
        print(f"\nsamples in the journal at each kill of the driver: {kills}")
    assert len(set(kills)) > 3, "most kills fall into the generation"
    assert kills[-1] < 40 * 6, "the run was not done before the last kill"
    quick = Script(median_steps=20, step_seconds=0, batch_size=64)
    assert_as_undisturbed(directory, tmp_path / "undisturbed", 40, 6, quick)


def test_a_study_is_killed_and_goes_on(cluster: Any, tmp_path: Path) -> None:
    options = {"launcher": "ray", "ray_address": cluster.address, "workers": 2, "max_attempts": 1000}
    path = write_study(tmp_path, questions=30, average=2, benchmarks=["aime"], **options)
    slow, quick = ({"median_steps": 10, "step_seconds": seconds, "batch_size": 4} for seconds in (0.02, 0))
    killed = start_study(path, **slow)
    wait_for(lambda: lines(tmp_path / "results") > 60, 120)
    killed.kill()
    killed.communicate()
    kept = lines(tmp_path / "results")
    wait_for(lambda: not actors(cluster))
    final = start_study(path, **quick)
    output, error = final.communicate(timeout=240)
    assert final.returncode == 0, error
    assert 60 < kept < 6 * 60, "it was killed half-way"
    assert f"{kept:,} samples are there" in error
    assert_complete_study(read_study(path), 30, 2)
    assert "tiny-b" in output and "Avg@2" in output


def test_sigterm_ends_the_run_in_order(cluster: Any, tmp_path: Path) -> None:
    """Ray would take the signal for itself."""
    process = start(tmp_path, 80, 6, 2, ray_address=cluster.address, median_steps=100)
    wait_for(lambda: lines(tmp_path) > 5)
    process.send_signal(signal.SIGTERM)
    output, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Avg@6" in output
    assert "the same command goes on from there" in error
    assert "Traceback" not in error
    assert "SIGTERM" not in error
    assert 5 < len(samples(tmp_path)) < 80 * 6

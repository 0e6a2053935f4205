"""Which workers a machine gets."""

from __future__ import annotations

import pytest
from scripted_run import run_config

from evaluators.running.devices import plan_workers, usable_cores


def test_omp_num_threads_may_ask_for_fewer_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = usable_cores()
    for asked, expected in (("1", 1), ("100000", cores), ("0", cores), ("many", cores), ("", cores)):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert usable_cores() == expected


def test_workers_share_the_cores() -> None:
    places = plan_workers(run_config(parallel=True, workers=3), gpus=(), cores=8)
    assert [place.name for place in places] == ["cpu:0", "cpu:1", "cpu:2"]
    assert {place.environment["OMP_NUM_THREADS"] for place in places} == {"2"}


def test_workers_are_pinned_to_gpus() -> None:
    places = plan_workers(run_config(parallel=True, max_parallel_gpus=2), gpus=("0", "GPU-b", "2"), cores=8)
    assert [(place.name, place.environment["CUDA_VISIBLE_DEVICES"]) for place in places] == [
        ("cuda:0", "0"),
        ("cuda:1", "GPU-b"),
    ]

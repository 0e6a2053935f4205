from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest


def test_the_harness_costs_little_per_sample_and_its_memory_is_flat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for 100,000 samples: python scripts/bench_scheduler.py."""
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "scripts")
    from bench_scheduler import measure

    # A process of its own: what other tests left of this one's heap would count as memory.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        milliseconds, gained_mib, resume_seconds = pool.submit(measure, tmp_path, 20_000, 8).result()
    assert milliseconds < 1
    assert gained_mib < 10
    assert resume_seconds < 5

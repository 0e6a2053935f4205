"""The GPU campaign in its small form: every step runs on a CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.model
def test_the_small_campaign_runs_whole(demo_model: None) -> None:
    environment = os.environ | {"PYTHON": sys.executable, "PARTS": "reflection throughput vllm study"}
    command = ["bash", "scripts/gpu_campaign.sh", "--small"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    for part in ("reflection", "throughput", "vllm", "study"):
        assert f"== {part}\n" in done.stdout
    assert "written: " in done.stdout

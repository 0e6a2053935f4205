"""The benchmarks' scripts: base run, SRGen run, comparison, in this order, stopping at the first error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from evaluators.benchmarks.registry import benchmark_named, benchmarks
from evaluators.settings.flags import BY_NAME
from evaluators.settings.sources import parse_arguments

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
OF_BENCHMARKS = sorted(SCRIPTS.glob("parallel_*.sh"))

# Stands for Python: notes its arguments, prints a folder for a dry run, and fails where it is told to.
STAND_IN = """#!/usr/bin/env bash
echo "$*" >> "$CALLS"
case "$*" in *"$FAIL_AT") exit 7 ;; esac
case "$*" in
    *--run_name*--dry_run) echo "results/named" ;;
    *--no-use_entropy_control\\ --dry_run) echo "results/base" ;;
    *--use_entropy_control\\ --dry_run) echo "results/srgen" ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(SCRIPTS, tmp_path / "project" / "scripts")
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(STAND_IN)
    python.chmod(0o755)
    return tmp_path


def run(root: Path, script: str, *arguments: str, fail_at: str = "nothing") -> tuple[int, list[str], str]:
    """Exit status, the calls of Python, and stderr."""
    calls = root / "calls"
    calls.write_text("")
    done = subprocess.run(
        ["bash", str(root / "project" / "scripts" / script), *arguments],
        env={"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "CALLS": str(calls), "FAIL_AT": fail_at},
        cwd=root, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, calls.read_text().splitlines(), done.stderr


def test_there_is_a_script_for_each_benchmark() -> None:
    assert {f"parallel_{name}.sh" for name in benchmarks()} | {"parallel_aime_distill_qwen.sh"} == {
        p.name for p in OF_BENCHMARKS
    }


@pytest.mark.parametrize("name", benchmarks())
def test_base_then_srgen_then_compare(name: str, root: Path) -> None:
    status, calls, _ = run(root, f"parallel_{name}.sh", "my/model", "--average", "4", "--system_prompt", "two words")
    common = f"-m evaluators.{name} --model_path my/model --parallel --average 4 --system_prompt two words"
    assert status == 0
    assert calls == [
        f"{common} --no-use_entropy_control --dry_run",
        f"{common} --use_entropy_control --dry_run",
        f"{common} --no-use_entropy_control",
        f"{common} --use_entropy_control",
        "-m evaluators.compare results/base results/srgen",
    ]


@pytest.mark.parametrize(
    ("fail_at", "calls_made"),
    [
        (" --no-use_entropy_control --dry_run", 1),
        (" --use_entropy_control --dry_run", 2),
        (" --no-use_entropy_control", 3),
        (" --use_entropy_control", 4),
        ("results/base results/srgen", 5),
    ],
)
def test_stops_at_the_first_error(fail_at: str, calls_made: int, root: Path) -> None:
    status, calls, _ = run(root, "parallel_gsm8k.sh", "m", fail_at=fail_at)
    assert status == 7
    assert len(calls) == calls_made


def test_runs_of_the_same_name_are_refused(root: Path) -> None:
    status, calls, err = run(root, "parallel_gsm8k.sh", "m", "--run_name", "x")
    assert status == 2
    assert len(calls) == 2
    assert "leave run_name out" in err


@pytest.mark.parametrize("arguments", [[], ["--average", "2"]])
def test_model_is_required(arguments: list[str], root: Path) -> None:
    status, calls, err = run(root, "parallel_gsm8k.sh", *arguments)
    assert (status, calls) == (2, [])
    assert err.startswith("usage: ")


def test_the_projects_own_environment_is_preferred(root: Path) -> None:
    own = root / "project" / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.write_text(STAND_IN.replace('echo "$*"', 'echo "own $*"'))
    own.chmod(0o755)
    _, calls, _ = run(root, "parallel_mini.sh", "demo")
    assert len(calls) == 5
    assert all(call.startswith("own -m") for call in calls)


def test_distill_qwen_is_the_released_codes_setting(root: Path) -> None:
    _, calls, _ = run(root, "parallel_aime_distill_qwen.sh", "--max_parallel_gpus", "4", "--average", "1")
    assert calls[0].startswith("-m evaluators.aime --model_path deepseek-ai/DeepSeek-R1-Distill-Qwen-7B --parallel ")
    given = parse_arguments(benchmark_named("aime"), calls[3].split()[2:])
    expected = {
        "version": "2024", "times": 3, "lr": 0.01, "entropy_threshold": 3.0, "entropy_weight": 0.05,
        "use_entropy_control": True, "max_retries": 20, "adaptive_entropy": True, "adaptive_entropy_N": 25,
        "adaptive_entropy_K": 4.0, "do_sample": True, "temperature": 0.6, "max_new_tokens": 32768, "minimal_std": 0.5,
        "minimal_threshold": 1.8, "max_parallel_gpus": 4, "average": 1,
    }  # fmt: skip
    assert expected.items() <= given.items()
    _, calls, _ = run(root, "parallel_aime_distill_qwen.sh", "/my/copy")
    assert "--model_path /my/copy " in calls[0]
    assert parse_arguments(benchmark_named("aime"), calls[0].split()[2:])["average"] == 5


@pytest.mark.parametrize("path", OF_BENCHMARKS, ids=lambda path: path.name)
def test_flags_in_scripts_exist(path: Path) -> None:
    used = set(re.findall(r"--(\w+)", path.read_text()))
    assert used <= set(BY_NAME) | {"help"}
    assert "set -euo pipefail" in path.read_text()

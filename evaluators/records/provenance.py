"""Where a run comes from: the versions, the hardware, the code and the questions that its samples depend on."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from evaluators.benchmarks.benchmark import Question
from evaluators.settings.identity import difference
from evaluators.settings.run_config import RunConfig

LIBRARIES = (
    "srgen",
    "torch",
    "transformers",
    "tokenizers",
    "vllm",
    "datasets",
    "math-verify",
    "latex2sympy2_extended",
    "sympy",
    "numpy",
    "ray",
)

SURROUNDINGS = ("versions", "hardware", "git_commit")
"""Keys of config.yaml for what a run was made with."""


def provenance(config: RunConfig, questions: Sequence[Question], grading_version: str | int) -> dict[str, Any]:
    """The content of config.yaml, in plain JSON values."""
    record = {
        **deciding(config, questions, grading_version),
        "versions": versions(),
        "hardware": hardware(),
        "git_commit": git_commit(),
    }
    return dict(json.loads(json.dumps(record)))


def deciding(config: RunConfig, questions: Sequence[Question], grading_version: str | int) -> dict[str, Any]:
    """The part of config.yaml that `unlike` compares."""
    return {
        "run": config.as_dict(),
        "questions_hash": questions_hash(questions),
        "grading_version": str(grading_version),
    }


def questions_hash(questions: Sequence[Question]) -> str:
    """SHA-256 over everything that the questions say, in their order."""
    lines = (json.dumps(question_row(question), sort_keys=True) for question in questions)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def question_row(question: Question) -> dict[str, Any]:
    """A line of questions.jsonl."""
    row = {field.name: getattr(question, field.name) for field in dataclasses.fields(question)}
    return {**row, "metadata": dict(question.metadata)}


@functools.cache
def versions() -> dict[str, str]:
    """Installed versions of Python and of the libraries that decide samples and verdicts."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def hardware() -> dict[str, Any]:
    """Machine, cores, memory and GPUs; torch is not imported."""
    gpus = _output("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "cpu_cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": [line.strip() for line in (gpus or "").splitlines() if line.strip()],
    }


@functools.cache
def git_commit() -> str | None:
    """Commit of the checkout that this code runs from, with `+changes` where files differ from it; None outside one."""
    root = Path(__file__).resolve().parents[2]
    top = _output("git", "-C", str(root), "rev-parse", "--show-toplevel")
    commit = _output("git", "-C", str(root), "rev-parse", "HEAD")
    if top is None or commit is None or Path(top) != root:
        return None
    return commit + ("+changes" if _output("git", "-C", str(root), "status", "--porcelain", "-uno") else "")


def unlike(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """What keeps two config.yaml apart: another configuration, other questions, or another grading version."""
    one, other = difference(there["run"], here["run"], RunConfig)
    beside = ("questions_hash", "grading_version")
    return differences(
        {**one, **{name: there[name] for name in beside}}, {**other, **{name: here[name] for name in beside}}
    )


def differences(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested mappings, as `key: one value there, another here`."""
    found = []
    for key in sorted({*there, *here}):
        one, other = there.get(key), here.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differences(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(f"{prefix}{key} ({one!r} there, {other!r} here)")
    return found


def _output(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None

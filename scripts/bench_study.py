"""A study in one process tree against the single commands that make the same runs: seconds of whole commands.

python scripts/bench_study.py [--rounds 3] [--questions 16] [--methods base srgen]

The embedded model answers embedded questions. Each round runs the study and the single commands one after the other, in
turn the one or the other first, each into a folder of its own. CPU seconds are those of all processes of a command.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

KINDS = ("study", "single commands")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--max_new_tokens", type=int, default=200)
    parser.add_argument("--methods", nargs="+", default=["base", "srgen"])
    options = parser.parse_args()
    seconds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number in range(options.rounds):
        for kind in KINDS if number % 2 == 0 else reversed(KINDS):
            with tempfile.TemporaryDirectory() as folder:
                commands = _commands(kind, Path(folder), options)
                seconds[kind].append(measured(commands))
            cpu, wall = seconds[kind][-1]
            print(f"round {number + 1}, {kind}: {cpu:.1f} CPU s, {wall:.1f} wall s", flush=True)
    for place, unit in enumerate(("CPU", "wall")):
        ratios = [ours[place] / theirs[place] for ours, theirs in zip(*(seconds[kind] for kind in KINDS), strict=True)]
        print(
            f"study to {len(options.methods)} single commands, {unit} seconds: median {statistics.median(ratios):.3f} ",
            end="",
        )
        print(f"({min(ratios):.3f} to {max(ratios):.3f})")


def measured(commands: Sequence[Sequence[str]]) -> tuple[float, float]:
    """CPU and wall seconds of commands, one after the other. Raises CalledProcessError."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def _commands(kind: str, folder: Path, options: argparse.Namespace) -> list[list[str]]:
    settings = {
        "model_path": "demo",
        "average": 1,
        "batch_size": 16,
        "parallel": True,
        "eval_samples": options.questions,
        "max_new_tokens": options.max_new_tokens,
        "output_dir": str(folder / "results"),
    }
    if kind == "study":
        path = folder / "bench.yaml"
        study = {
            "models": {"demo": {}},
            "benchmarks": ["mini"],
            "methods": {method: {"method": method} for method in options.methods},
            "settings": settings,
        }
        path.write_text(yaml.safe_dump(study))
        return [[sys.executable, "-m", "evaluators.study", str(path)]]
    flags = [
        text for name, value in settings.items() for text in (f"--{name}", *([] if value is True else [str(value)]))
    ]
    return [[sys.executable, "-m", "evaluators.mini", *flags, "--method", method] for method in options.methods]


if __name__ == "__main__":
    main()

"""What runs are called on the pages."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.records.reading import Run


def method_name(method: str) -> str:
    """A method as it is written."""
    return "+".join("SRGen" if part == "srgen" else part for part in method.split("+"))


def short_names(runs: Sequence[Run]) -> list[str]:
    """As short as tells the runs apart: the method, else with benchmark and model, else the folder."""
    names = [method_name(run.method) for run in runs]
    if len(set(names)) < len(names):
        names = [f"{run.benchmark} {run.model} {method_name(run.method)}" for run in runs]
    if len(set(names)) < len(names):
        names = [run.directory.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [f"{name} ({number + 1})" for number, name in enumerate(names)]

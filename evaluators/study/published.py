"""Numbers that others have published, to stand beside a study's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluators.study.sections import mapping
from srgen.errors import ConfigError
from srgen.suggest import unknown_name

Rates = tuple[float | None, ...]
"""Avg@K, Cons@K, Pass@K in percent; None where it is not published."""
Published = Mapping[tuple[str, str, str], Rates]
"""By model, benchmark and method."""


def read_published(
    section: Any, models: Sequence[str], benchmarks: Sequence[str], methods: Sequence[str]
) -> dict[tuple[str, str, str], Rates]:
    """The section `published: {MODEL: {BENCHMARK: {METHOD: [Avg, Cons, Pass]}}}`.

    Raises ConfigError for a name that the study does not have, with the nearest, or for rates that are none.
    """
    found = {}
    for model, of_model in _level(section, "model", models, "published"):
        for benchmark, of_benchmark in _level(of_model, "benchmark", benchmarks, f"published.{model}"):
            where = f"published.{model}.{benchmark}"
            for method, rates in _level(of_benchmark, "method", methods, where):
                found[model, benchmark, method] = _rates(rates, f"{where}.{method}")
    return found


def _level(value: Any, what: str, known: Sequence[str], where: str) -> list[tuple[str, Any]]:
    items = mapping(value, where)
    for name in items:
        if name not in known:
            raise unknown_name(what, name, known, where=f" in {where}")
    return list(items.items())


def _rates(value: Any, where: str) -> Rates:
    numbers = [None if rate is None else float(rate) for rate in value] if _is_rates(value) else []
    if len(numbers) != 3 or not all(rate is None or 0 <= rate <= 100 for rate in numbers):
        raise ConfigError(f"{where} must be [Avg, Cons, Pass] in percent, not {value!r}")
    return tuple(numbers)


def _is_rates(value: Any) -> bool:
    return isinstance(value, list) and all(
        rate is None or (isinstance(rate, int | float) and not isinstance(rate, bool)) for rate in value
    )

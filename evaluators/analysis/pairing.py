"""Which run is compared with which: run folders by pattern, and a base for every run."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluators.analysis.comparison import Comparison, adjust, compare
from evaluators.analysis.configurations import configuration_notes
from evaluators.analysis.sequential_comparison import looked_at
from evaluators.analysis.sequential_comparison import sequential as cut_off
from evaluators.analysis.summary_rows import Summary
from evaluators.records.schema import CONFIG_FILE
from srgen.errors import SRGenError


@dataclass(frozen=True, slots=True)
class Pair:
    """A run and the base that it is compared with, by number; `refusal` says why they are not."""

    base: int
    other: int
    comparison: Comparison | None
    refusal: str = ""


class Named(Protocol):
    """What says which runs belong together."""

    @property
    def benchmark(self) -> str:
        """Name and version of the benchmark."""
        ...

    @property
    def model(self) -> str:
        """The model's short name."""
        ...

    @property
    def method(self) -> str:
        """The method's name."""
        ...


def run_folders(patterns: Sequence[str | Path]) -> list[Path]:
    """Folders (or summary CSVs) as they are named; those that hold a run, in order of name, for a pattern (`*`, `**`).

    A folder that a pattern has found already is not taken again. Raises SRGenError for a pattern that matches no run.
    """
    found: list[Path] = []
    for pattern in map(str, patterns):
        if not glob.has_magic(pattern) or Path(pattern).exists():
            found.append(Path(pattern))
            continue
        places = map(Path, glob.glob(str(Path(pattern).expanduser()), recursive=True))  # noqa: PTH207 (may be absolute)
        runs = sorted(place for place in places if (place / CONFIG_FILE).is_file())
        if not runs:
            raise SRGenError(f"{pattern} matches no run's folder")
        found += (run for run in runs if run not in found)
    return found


def pair_up(
    summaries: Sequence[Summary],
    runs: Sequence[Path],
    which: Sequence[tuple[int, int]] | None = None,
    *,
    common: bool = False,
    any_k: bool = False,
    sequential: bool = False,
    smallest_effect: float | None = None,
) -> list[Pair]:
    """The pairs (base, other) of `which`, or of `bases`, compared; p-values are adjusted over all of them.

    `runs` are the folders or summary CSVs that the summaries are of, `common` and `any_k` as in `compare`. With
    `sequential`, and where sampling was stopped by looking at the runs, each is compared at the round that settles it;
    `smallest_effect` as in `evaluators.analysis.sequential_comparison`.
    """

    def paired(base: int, other: int) -> Pair:
        try:
            beside = configuration_notes(runs[base], runs[other])
            both = runs[base], runs[other]
            cut = sequential or looked_at(both)
            found = compare(summaries[base], summaries[other], common=common, any_k=any_k or cut, beside=beside)
            return Pair(base, other, cut_off(found, both, smallest_effect) if cut else found)
        except SRGenError as refusal:
            return Pair(base, other, None, str(refusal))

    pairs = [paired(base, other) for base, other in (bases(summaries) if which is None else which)]
    adjusted = iter(adjust([pair.comparison for pair in pairs if pair.comparison]))
    return [dataclasses.replace(pair, comparison=next(adjusted)) if pair.comparison else pair for pair in pairs]


def bases(summaries: Sequence[Named]) -> list[tuple[int, int]]:
    """(base, other) for every run that has a base.

    Two runs are a pair as they are. Of more, those of one benchmark and model belong together, and their base is their
    first base run, or else their first run; a run that is alone is compared with the first run of all.
    """
    if len(summaries) == 2:
        return [(0, 1)]
    groups: dict[tuple[str, str], list[int]] = {}
    for run, summary in enumerate(summaries):
        groups.setdefault((summary.benchmark, summary.model), []).append(run)
    pairs = []
    for members in groups.values():
        base = next((run for run in members if summaries[run].method == "base"), members[0])
        pairs += [(base, other) for other in members if other != base]
        if len(members) == 1 and base != 0:
            pairs.append((0, base))
    return sorted(pairs, key=lambda pair: pair[1])


def named_pairs(runs: Sequence[Path]) -> list[tuple[int, int]]:
    """Base, other, base, other, ... where a run is named more than once, as it is when every pair is spelt out."""
    if len(set(runs)) == len(runs) or len(runs) % 2:
        return []
    return [(run, run + 1) for run in range(0, len(runs), 2)]

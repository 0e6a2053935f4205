"""`python -m evaluators.compare BASE RUN [RUN ...]`: runs compared with their base, question by question."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from evaluators.analysis.comparison import Comparison
from evaluators.analysis.equal_cost import BASES, with_equal_cost
from evaluators.analysis.loading import load_summary
from evaluators.analysis.pairing import Pair, bases, named_pairs, pair_up, run_folders
from evaluators.analysis.pairs import check_pairs
from evaluators.analysis.summary_rows import Summary
from evaluators.presentation.chooser_tables import chooser_tables
from evaluators.presentation.comparison_remarks import remarks
from evaluators.presentation.comparison_tables import csv_table, latex_table, markdown_table, text_table
from evaluators.presentation.verdict import verdicts
from evaluators.presentation.wording import fitted
from evaluators.records.reading import unused, write_atomically
from srgen.command_line import Parser, called, command, tell
from srgen.errors import ConfigError, SRGenError


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _options(arguments)
    folders = run_folders(options.runs)
    pairs = compare_all(
        folders,
        common=options.common,
        any_k=options.at is not None,
        sequential=options.sequential,
        smallest_effect=options.smallest_effect,
    )
    comparisons = [pair.comparison for pair in pairs if pair.comparison]
    if options.at:
        comparisons = with_equal_cost(comparisons, options.at)
    place = options.output_dir or own_place(csv_table(comparisons, equivalence=options.equivalence))
    written = write_tables(comparisons, place, equivalence=options.equivalence)
    print(text_table(comparisons))
    print("\n".join(fitted(line, indent="") for line in verdicts(comparisons, equivalence=options.equivalence)))
    said: list[str] = []
    for comparison in comparisons:
        fresh = [line for line in remarks(comparison) if line not in said]
        said += fresh
        print("\n".join(["", f"{comparison.model}, {comparison.base.benchmark}", *map(fitted, fresh)]))
    if choosers := chooser_tables(_compared_summaries(folders, pairs)):
        print(f"\n{choosers}")
    if options.plot:
        from evaluators.presentation.plots import plot_pairs  # matplotlib is an extra, and slow to import

        written += plot_pairs(comparisons, _compared(folders, pairs), place)
    print("\nwritten: " + ", ".join(str(path) for path in written))
    for pair in pairs:
        if pair.refusal:
            tell(pair.refusal)
    return int(len(comparisons) < len(pairs))


def compare_all(runs: Sequence[Path], **options: Any) -> list[Pair]:
    """Every run with its base (`evaluators.analysis.pairing`); p-values are adjusted over all of them.

    Options as in `pair_up`. Raises SRGenError where a run is missing, or none can be compared.
    """
    if len(runs) < 2:
        raise SRGenError(f"a comparison takes a base and at least one other run: {len(runs)} given")
    summaries = [load_summary(run) for run in runs]
    which = named_pairs(runs) or bases(summaries)
    check_pairs([(runs[base], runs[other]) for base, other in which])
    pairs = pair_up(summaries, runs, which, **options)
    if not any(pair.comparison for pair in pairs):
        raise SRGenError("; ".join(pair.refusal for pair in pairs))
    return pairs


def _compared_summaries(folders: Sequence[Path], pairs: Sequence[Pair]) -> list[Summary]:
    """Each run that was compared, once, in the order of the comparisons."""
    both = [summary for pair in pairs if pair.comparison for summary in (pair.comparison.base, pair.comparison.other)]
    return list(dict(zip(_compared(folders, pairs), both, strict=True)).values())


def _compared(runs: Sequence[Path], pairs: Sequence[Pair]) -> list[Path]:
    """Base, other, base, other, ... of the pairs that were compared."""
    return [runs[run] for pair in pairs if pair.comparison for run in (pair.base, pair.other)]


def compare_pairs(runs: Sequence[Path], *, common: bool = False) -> list[Comparison]:
    """Compare base, other, base, other, ...; p-values are adjusted over all pairs.

    Raises SRGenError where a run is missing or a pair should not be compared.
    """
    if len(runs) < 2 or len(runs) % 2:
        raise SRGenError(f"runs come in pairs, base first: {len(runs)} given")
    which = [(run, run + 1) for run in range(0, len(runs), 2)]
    check_pairs([(runs[base], runs[other]) for base, other in which])
    pairs = pair_up([load_summary(run) for run in runs], runs, which, common=common)
    if refusals := [pair.refusal for pair in pairs if pair.refusal]:
        raise SRGenError("; ".join(refusals))
    return [pair.comparison for pair in pairs if pair.comparison]


def write_tables(comparisons: Sequence[Comparison], directory: Path, *, equivalence: float | None = None) -> list[Path]:
    """Write comparison.csv, .md and .tex; `equivalence` is a margin in points for the verdicts."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        "csv": csv_table(comparisons, equivalence=equivalence),
        "md": markdown_table(comparisons, equivalence=equivalence),
        "tex": latex_table(comparisons),
    }
    for suffix, text in texts.items():
        write_atomically(directory / f"comparison.{suffix}", text)
    return [directory / f"comparison.{suffix}" for suffix in texts]


def own_place(csv: str) -> Path:
    """The folder where nobody has named one: `comparison`, or where that holds another comparison, the next free."""
    place = Path("comparison")
    try:
        same = (place / "comparison.csv").read_text("utf-8") == csv
    except OSError:
        same = False
    return place if same else unused(place)


def _parser() -> Parser:
    parser = Parser(prog=called("compare", "evaluators.compare"), description="Compare runs by question.")
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run directories, summary CSVs or patterns ('results/**'); of two, the first is the base; of more, each "
        "is compared with the base run of its benchmark and model",
    )
    parser.add_argument("--common", action="store_true", help="compare unlike runs on what they share")
    parser.add_argument(
        "--equivalence", type=_points, metavar="POINTS", help="also test whether the runs are the same within POINTS"
    )
    parser.add_argument(
        "--sequential",
        action="store_true",
        help="stop at the first complete round (sample k of every question in both runs) that settles the comparison",
    )
    parser.add_argument(
        "--smallest_effect",
        type=_points,
        metavar="POINTS",
        help="with --sequential: also stop once the second run is known to be better by less than POINTS",
    )
    parser.add_argument(
        "--at",
        choices=BASES,
        help="also Cons@k and Pass@k at the same cost: the run whose samples cost less is given more of those it has",
    )
    parser.add_argument("--plot", action="store_true", help="also write the plots, as PNG and SVG (extra: report)")
    parser.add_argument(
        "--output_dir", type=Path, help="where to write (default: comparison, or comparison-2, ... beside earlier ones)"
    )
    return parser


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    options = _parser().parse_args(arguments)
    if options.sequential and options.equivalence is not None:
        raise ConfigError("--equivalence tests at a K fixed beforehand; with --sequential, give --smallest_effect")
    if options.smallest_effect is not None and not options.sequential:
        raise ConfigError("--smallest_effect goes with --sequential")
    return options


def _points(text: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = math.nan
    if not 0 < points <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a number of points above 0 and up to 100")
    return points


class _Callable(ModuleType):
    """`from evaluators import compare` is a function, also once this module, of the same name, has been imported."""

    def __call__(self, *runs: Any, **options: Any) -> Any:
        from evaluators.api import compare as compare_runs

        return compare_runs(*runs, **options)


sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    raise SystemExit(main())

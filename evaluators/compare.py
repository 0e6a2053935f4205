"""`python -m evaluators.compare BASE SRGEN [BASE SRGEN ...]`: pairs of runs, compared by question."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluators.analysis.comparison import Comparison, adjust, compare
from evaluators.analysis.loading import load_summary
from evaluators.analysis.pairs import check_pairs
from evaluators.presentation.comparison_tables import csv_table, latex_table, markdown_table, remarks, text_table
from evaluators.records.reading import write_atomically
from srgen.errors import SRGenError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        comparisons = compare_pairs(options.runs, common=options.common)
        written = write_tables(comparisons, options.output_dir)
        print(text_table(comparisons))
        for comparison in comparisons:
            print(f"\n{comparison.model}, {comparison.base.benchmark}")
            print("\n".join(f"  {line}" for line in remarks(comparison)))
        if options.plot:
            from evaluators.presentation.plots import plot_pairs  # matplotlib is an extra, and slow to import

            written += plot_pairs(comparisons, options.runs, options.output_dir)
    except (SRGenError, OSError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    print("\nwritten: " + ", ".join(str(path) for path in written))
    return 0


def compare_pairs(runs: Sequence[Path], *, common: bool = False) -> list[Comparison]:
    """Compare base, other, base, other, ...; p-values are adjusted over all pairs.

    Raises SRGenError where a run is missing or a pair should not be compared.
    """
    if len(runs) < 2 or len(runs) % 2:
        raise SRGenError(f"runs come in pairs, base first: {len(runs)} given")
    pairs = list(zip(runs[::2], runs[1::2], strict=True))
    summaries = [(load_summary(base), load_summary(other)) for base, other in pairs]
    check_pairs(pairs)
    return adjust([compare(base, other, common=common) for base, other in summaries])


def write_tables(comparisons: Sequence[Comparison], directory: Path) -> list[Path]:
    """Write comparison.csv, .md and .tex."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {"csv": csv_table(comparisons), "md": markdown_table(comparisons), "tex": latex_table(comparisons)}
    for suffix, text in texts.items():
        write_atomically(directory / f"comparison.{suffix}", text)
    return [directory / f"comparison.{suffix}" for suffix in texts]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluators.compare", description="Compare runs by question.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run directories or summary CSVs, base first")
    parser.add_argument("--common", action="store_true", help="compare unlike runs on what they share")
    parser.add_argument("--plot", action="store_true", help="also write the plots, as PNG and SVG (extra: report)")
    parser.add_argument(
        "--output_dir", type=Path, default=Path("comparison"), help="where to write (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

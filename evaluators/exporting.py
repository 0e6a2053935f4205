"""`python -m evaluators.exporting RUN --to FORMAT [-o PATH]`: a run in another tool's files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evaluators.analysis.loading import load_summary
from evaluators.analysis.summary import summary_of
from evaluators.analysis.summary_rows import Summary
from evaluators.exchange.folders import folder_for
from evaluators.exchange.writers import every_eval_ever, hub_results, inspect_log, lm_eval, tables
from evaluators.grading import GradingPool
from evaluators.records.reading import Run, read_run
from srgen.command_line import Parser, called, command
from srgen.errors import ConfigError

Writer = Callable[[Run, Summary, Path], list[Path]]

INTO_A_FILE: Mapping[str, tuple[str, Writer]] = {
    "inspect": (".eval", inspect_log.write),
    "csv": (".csv", tables.write),
    "jsonl": (".jsonl", tables.write),
    "parquet": (".parquet", tables.write),
}
"""Ending and writer of the formats that are one file."""
INTO_A_FOLDER: Mapping[str, Writer] = {
    "lm-eval": lm_eval.write,
    "every-eval-ever": every_eval_ever.write,
    "hub-results": hub_results.write,
}


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    written = export(options.run, options.to, options.output)
    print("written: " + ", ".join(str(path) for path in written))
    return 0


def export(directory: Path, name: str, output: Path | None) -> list[Path]:
    """Write a run in the format `name`; nothing is there before all of it is. Raises SRGenError for no run."""
    run = read_run(directory)
    load_summary(directory)  # says what is wrong with a run whose tables are damaged
    with GradingPool() as pool:
        summary = summary_of(run, pool.classes)  # the metrics to the last digit, where the file rounds
    stem = f"{run.benchmark}_{run.model}_{directory.resolve().name}"
    if name in INTO_A_FILE:
        ending, writer = INTO_A_FILE[name]
        path = output or Path(stem + ending)
        if path.suffix != ending:
            raise ConfigError(f"the file's name must end in {ending}, not {path}")
        return _through(writer, run, summary, path.parent, path.name)
    return _through(INTO_A_FOLDER[name], run, summary, output or Path(f"{stem}_{name}"))


def _through(writer: Writer, run: Run, summary: Summary, folder: Path, name: str = "") -> list[Path]:
    """Write into a temporary folder beside the files' place, then move them there."""
    with folder_for(folder), tempfile.TemporaryDirectory(prefix=".exporting.", dir=folder) as temporary:
        partial = Path(temporary)
        written = []
        for path in writer(run, summary, partial / name if name else partial):
            place = folder / path.relative_to(partial)
            place.parent.mkdir(parents=True, exist_ok=True)
            written.append(path.replace(place))
        return written


def _parser() -> Parser:
    parser = Parser(prog=called("export", "evaluators.exporting"), description="A run in other tools' files.")
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("--to", required=True, choices=[*INTO_A_FILE, *INTO_A_FOLDER], help="the format")
    parser.add_argument("-o", "--output", type=Path, help="file or folder to write (default: named after the run)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

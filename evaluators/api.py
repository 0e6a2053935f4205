"""Evaluations from Python, for notebooks: `evaluate`, `load_runs`, `compare`; results as pandas DataFrames."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from evaluators.benchmarks.registry import benchmark_named
from evaluators.settings.flags import BY_NAME
from evaluators.settings.sources import read_settings
from srgen.errors import ConfigError, SRGenError
from srgen.suggest import unknown_name

if TYPE_CHECKING:
    import pandas as pd

    from evaluators.analysis.pairing import Pair
    from evaluators.analysis.summary_rows import Summary

    Runs: TypeAlias = "str | Path | RunResult"

NOT_HERE = ("model_path", "config", "dry_run", "entropy_output_file", "until_settled", "smallest_effect")


@dataclass(frozen=True)
class RunResult:
    """A run: its folder, and what is in it. It prints as the table at the end of a run."""

    directory: Path
    _summary: Summary

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per sample, with the columns of samples.jsonl."""
        import pandas as pd

        from evaluators.records.reading import read_run

        columns = [field.name for field in dataclasses.fields(_sample_type())]
        rows = [sample.to_json() for sample in read_run(self.directory).samples.values()]
        absent = [name for name in ("opening", "tag_tokens") if not any(name in row for row in rows)]
        columns = [name for name in columns if name not in absent]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def questions(self) -> pd.DataFrame:
        """One row per question, with the columns of questions.csv; rates in percent."""
        import pandas as pd

        from evaluators.records.schema import QUESTIONS_CSV

        return pd.read_csv(self.directory / QUESTIONS_CSV, dtype={"question_id": str, "gold": str})

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row, with the columns of summary.csv; rates in percent."""
        return load_runs(self.directory)

    def __repr__(self) -> str:
        from evaluators.presentation.run_table import final_table

        return f"{final_table(self._summary)}\nResults: {self.directory}"


@dataclass(frozen=True)
class Comparisons:
    """Runs compared with their bases. It prints as the command's table, with what could not be compared."""

    pairs: tuple[Pair, ...]
    names: tuple[str, ...]
    """The runs' folders, by number."""

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per comparison, with the columns of comparison.csv."""
        import io

        import pandas as pd

        from evaluators.presentation.comparison_tables import csv_table

        compared = [pair.comparison for pair in self.pairs if pair.comparison]
        return pd.read_csv(io.StringIO(csv_table(compared))) if compared else pd.DataFrame()

    @property
    def refused(self) -> list[str]:
        """Why runs were not compared, a sentence each."""
        return [pair.refusal for pair in self.pairs if pair.refusal]

    def __repr__(self) -> str:
        from evaluators.presentation.comparison_tables import text_table
        from evaluators.presentation.verdict import verdicts

        compared = [pair.comparison for pair in self.pairs if pair.comparison]
        return "\n".join([*([text_table(compared), *verdicts(compared)] if compared else []), *self.refused])


def evaluate(benchmark: str, model: str, method: str = "base", **flags: Any) -> RunResult:
    """Make a run, or finish it where its folder has some of it, and return it.

    The flags are those of the command (`average=4`, `output_dir="results"`, ...). The model is loaded in this process,
    unless `parallel`, `workers` or `launcher` ask for workers of their own. Raises SRGenError for what the user has to
    change, KeyboardInterrupt when stopped before its end: the same call goes on from there.
    """
    from evaluators.cli import planned
    from evaluators.running.interrupts import Interrupts
    from evaluators.running.many import work_off

    plan = planned(family := benchmark_named(benchmark), read_settings(family, _arguments(model, method, flags)))
    workers = any(flags.get(name) for name in ("parallel", "workers", "launcher"))
    with Interrupts() as interrupts:
        (outcome,) = work_off([plan], plan.directory / "logs", interrupts, in_process=not workers)
    if outcome.failure is not None:
        raise outcome.failure
    if not outcome.complete or outcome.summary is None:
        raise KeyboardInterrupt(f"stopped; all graded samples are safe in {plan.directory}")
    return RunResult(plan.directory, outcome.summary)


def load_runs(*patterns: str | Path) -> pd.DataFrame:
    """One row per run of the folders that the patterns match (`results/**`): summary.csv and the folder.

    Raises SRGenError for a pattern that matches no run.
    """
    import pandas as pd

    from evaluators.analysis.loading import load_summary
    from evaluators.analysis.pairing import run_folders
    from evaluators.records.schema import SUMMARY_CSV

    rows = []
    for folder in run_folders(patterns):
        load_summary(folder)  # writes the file where the run never came to that
        rows.append(pd.read_csv(folder / SUMMARY_CSV, dtype={"grading_version": str}).assign(directory=str(folder)))
    return pd.concat(rows, ignore_index=True)


def compare(base: Runs, *others: Runs, common: bool = False) -> Comparisons:
    """Compare a base with other runs, as `python -m evaluators.compare` does; what cannot be compared is in `refused`.

    Runs are folders, patterns, or what `evaluate` returned. Raises SRGenError where there is nothing to compare.
    """
    from evaluators.analysis.loading import load_summary
    from evaluators.analysis.pairing import pair_up, run_folders

    folders = run_folders([run.directory if isinstance(run, RunResult) else run for run in (base, *others)])
    if len(folders) < 2:
        raise SRGenError("a comparison takes a base and at least one other run")
    pairs = pair_up([load_summary(folder) for folder in folders], folders, common=common)
    return Comparisons(tuple(pairs), tuple(map(str, folders)))


def _arguments(model: str, method: str, flags: dict[str, Any]) -> Sequence[str]:
    """The command's arguments. Raises ConfigError for an unknown flag, with the nearest."""
    known = [name for name in BY_NAME if name not in NOT_HERE]
    arguments = ["--model_path", str(model), "--method", method]
    for name, value in flags.items():
        if name not in known:
            raise unknown_name("parameter", name, ["model", *known])
        if BY_NAME[name].kind != "bool":
            arguments += [] if value is None else [f"--{name}={value}"]
        elif isinstance(value, bool):
            arguments.append(f"--{name}" if value else f"--no-{name}")
        else:
            raise ConfigError(f"{name} must be True or False, not {value!r}")
    return arguments


def _sample_type() -> type[Any]:
    from evaluators.records.schema import Sample

    return Sample


def study_table(study: str | Path) -> pd.DataFrame:
    """The table of a study as far as it has run, one row per cell, with the columns of its table.csv.

    Raises ConfigError for a mistake in the file.
    """
    import pandas as pd

    from evaluators.presentation.study_tables import study_records
    from evaluators.study.reading import read_study
    from evaluators.study.table import finished_table

    read = read_study(Path(study))
    return pd.DataFrame(study_records(finished_table(read, read.cells)))

"""`python -m evaluators.importing SOURCE --benchmark NAME ...`: another tool's generations as a run folder.

The folder is like that of any run: rescore, compare and report read it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluators.benchmarks.benchmark import AnswerFormat, Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.own_questions import settled
from evaluators.benchmarks.questions import load_rows, parse_rows
from evaluators.benchmarks.registry import benchmark_named, benchmarks
from evaluators.exchange.formats import FORMATS, ReaderOptions, open_source
from evaluators.exchange.generation import Source
from evaluators.exchange.imported_run import ImportedRun, ImportOptions, whole_folder
from evaluators.exchange.matching import Matcher
from evaluators.exchange.readers.plain import column_map
from evaluators.exchange.record import record_of
from evaluators.grading.pool.flags import add_grading_flags, grading_pool
from evaluators.presentation.run_table import final_table
from evaluators.presentation.source_verdicts import disagreements
from evaluators.records.reading import read_run
from evaluators.records.source_verdicts import read_source_verdicts
from evaluators.settings.run_config import check_run_name
from srgen.command_line import Parser, called, command
from srgen.errors import ConfigError
from srgen.methods.registry import SRGEN, named


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    print(f"Results: {import_run(_parser().parse_args(arguments))}")
    return 0


def import_run(options: argparse.Namespace) -> Path:
    """Import as the command line says, print what was found, and return the run's folder.

    Raises SRGenError, and then has left nothing on disk.
    """
    reader = ReaderOptions(columns=column_map(options.columns), verdicts_of=options.verdicts_of)
    source = open_source(options.source, options.format, reader)
    data, questions, matcher = _questions(options)
    with grading_pool(options) as pool:
        run = ImportedRun(source, questions, matcher, pool, _choices(options, source))
        directory = _directory(options, source, data)
        with whole_folder(directory) as folder:
            run.write_samples(folder)
            names = {"model": _model(options, source), "method": _method(options, source)}
            run.finish(folder, record_of(source, run, path=options.source, data=data, **names))
        _tell(directory, source, run, matcher)
    return directory


def _questions(options: argparse.Namespace) -> tuple[DataConfig, list[Question], Matcher]:
    """The questions to match with: of a benchmark's dataset, or of a run that asked them."""
    if options.questions_from is not None:
        run = read_run(options.questions_from)
        data = {
            key: value for key, value in run.config["run"]["data"].items() if key in DataConfig.__dataclass_fields__
        }
        if options.benchmark not in (None, data["benchmark"]):
            raise ConfigError(f"{options.questions_from} asked {data['benchmark']}, not {options.benchmark}")
        return DataConfig(**data), list(run.questions), Matcher(run.questions)
    if options.benchmark is None:
        raise ConfigError("--benchmark is missing: name the benchmark, or a run that asked it with --questions_from")
    benchmark = benchmark_named(options.benchmark)
    asked = DataConfig(
        benchmark=benchmark.name, version=options.version, dataset_path=options.dataset_path, split=options.split
    )
    rows, where = load_rows(benchmark, asked)
    questions = parse_rows(benchmark, rows, options.seed, where)
    return settled(benchmark, asked, questions), questions, Matcher(questions, rows)


def _choices(options: argparse.Namespace, source: Source) -> ImportOptions:
    if options.average is not None and options.average < 1:
        raise ConfigError(f"--average must be at least 1, not {options.average}")
    return ImportOptions(
        average=options.average,
        first_sample=options.first_sample,
        skip_unknown=options.skip_unknown,
        only_answered=options.only_answered,
        answer_format=options.answer_format or _told_format(source),
    )


def _told_format(source: Source) -> AnswerFormat:
    """Where the source's own settings say that answers are."""
    told = (source.settings.get("run") or {}).get("data") or {}
    return "tags" if told.get("answer_format") == "tags" else "free"


def _directory(options: argparse.Namespace, source: Source, data: DataConfig) -> Path:
    """results/<benchmark>/<model>/<run name>, as of any run; the name follows from the source's path and options."""
    benchmark = data.benchmark + (f"-{data.version}" if data.version else "")
    said = json.dumps([str(options.source.resolve()), options.columns, options.verdicts_of, options.average])
    if options.run_name is not None:
        check_run_name(options.run_name)
    name = (
        options.run_name
        or f"{_method(options, source)}-{source.format}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"
    )
    return Path(options.output_dir).expanduser() / benchmark / _model(options, source).rstrip("/").split("/")[-1] / name


def _model(options: argparse.Namespace, source: Source) -> str:
    if not (options.model or source.model):
        raise ConfigError("--model is missing: the source does not name the model that generated it")
    return str(options.model or source.model)


def _method(options: argparse.Namespace, source: Source) -> str:
    """The name given, else that of the settings which the source kept, else `base`."""
    run = source.settings.get("run") or {}
    kept = named([*([SRGEN] if run.get("srgen") else []), *(run.get("methods") or {})])
    return str(options.method or kept)


def _tell(directory: Path, source: Source, run: ImportedRun, matcher: Matcher) -> None:
    """Print the run's table, both graders' verdicts, and everything that was left out or is not known."""
    print(final_table(run.summary))
    for line in disagreements(run.run.samples, read_source_verdicts(directory)):
        print(f"  {line}")
    for note in (*source.notes, *_notes(run, matcher), *run.golds.differing()):
        print(f"note: {note}", file=sys.stderr)


def _notes(run: ImportedRun, matcher: Matcher) -> list[str]:
    tally = run.tally
    answered, asked = tally.per_question(), len(run.questions)
    notes = [f"left out, no question of the benchmark: {name} ({n} samples)" for name, n in tally.unknown.items()]
    if len(answered) < asked:
        fate = "are left out" if len(run.kept()) < asked else "count as missing (--only_answered leaves them out)"
        notes.append(f"the source answers {len(answered)} of {asked} questions; the others {fate}")
    if tally.beyond:
        notes.append(f"{tally.beyond} samples beyond --average were left out")
    if matcher.by_id_alone:
        notes.append(
            f"{matcher.by_id_alone} samples were matched by identifier alone, for their text is not the question's"
        )
    if tally.without_tokens:
        notes.append(f"{tally.without_tokens} samples come without token counts and count 0 tokens in the costs")
    if tally.without_reason:
        notes.append(f"{tally.without_reason} samples do not say why they ended; none of them counts as cut off")
    if tally.tagged:
        notes.append(
            f"{tally.tagged} responses have an answer in <answer> tags, which were not read; to read them, delete the "
            "folder and import again with --answer_format tags"
        )
    return notes


def _parser() -> Parser:
    parser = Parser(
        prog=called("import", "evaluators.importing"), description="Another tool's generations as a run folder."
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="file or folder with the generations")
    parser.add_argument("--format", help=f"{', '.join(FORMATS)} (default: what the source looks like)")
    parser.add_argument("--benchmark", help=f"whose questions were answered: {', '.join(benchmarks())}")
    parser.add_argument("--version", help="its version (default: the first listed)")
    parser.add_argument("--dataset_path", help="its questions from a file or folder instead of the hub")
    parser.add_argument("--split", help="split of the dataset (default: the benchmark's)")
    parser.add_argument("--questions_from", type=Path, metavar="RUN", help="the questions of a run instead")
    parser.add_argument("--seed", type=int, default=42, help="orders GPQA's options (default: %(default)s)")
    parser.add_argument("--model", help="the model that generated (default: what the source says)")
    parser.add_argument("--method", help="the method's name in tables (default: what the source says, else base)")
    parser.add_argument("--columns", help="plain tables: COLUMN=NAME,... for columns with other names")
    parser.add_argument(
        "--answer_format",
        choices=("free", "tags"),
        help="where answers are (default: what the source says, else free)",
    )
    parser.add_argument("--verdicts_of", metavar="NAME", help="lm-eval's filter, inspect's scorer, lighteval's metric")
    parser.add_argument("--average", type=int, metavar="K", help="samples per question (default: the most there are)")
    parser.add_argument("--first_sample", type=int, default=0, help="index of a question's first sample (default: 0)")
    parser.add_argument("--skip_unknown", action="store_true", help="leave out what matches no question")
    parser.add_argument("--only_answered", action="store_true", help="leave out questions without any sample")
    parser.add_argument("--output_dir", default="results", help="folder that holds the runs' folders")
    parser.add_argument("--run_name", help="last part of the run's folder")
    add_grading_flags(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

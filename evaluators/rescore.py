"""`python -m evaluators.rescore RUN [RUN ...]`: grade runs again, without generating, and show what changed.

Of an imported run it also shows where its source's own grader disagrees.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from evaluators.analysis.summary import summarise, summary_of
from evaluators.analysis.summary_rows import Summary
from evaluators.grading import GRADING_VERSION, GradingPool
from evaluators.grading.pool.flags import add_grading_flags, grading_pool
from evaluators.presentation.run_table import number, signed
from evaluators.presentation.source_verdicts import disagreements
from evaluators.records.journal import exclusive
from evaluators.records.reading import Run, SampleKey, read_run, sample_lines, write_atomically
from evaluators.records.schema import CONFIG_FILE, SAMPLES_FILE, Sample, graded_text
from evaluators.records.source_verdicts import read_source_verdicts
from srgen.command_line import Parser, called, command

_SHOWN = 20
"""Changed samples that are printed one by one."""


@dataclass(frozen=True, slots=True)
class Rescored:
    """A run before and after."""

    run: Run
    samples: dict[SampleKey, Sample]
    before: Summary
    after: Summary

    @property
    def changes(self) -> list[tuple[Sample, Sample]]:
        """The samples whose verdict or answer changed."""
        pairs = [(self.run.samples[key], sample) for key, sample in self.samples.items()]
        return [(old, new) for old, new in pairs if (old.status, old.answer) != (new.status, new.answer)]


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = Parser(prog=called("rescore", "evaluators.rescore"), description="Grade finished runs again.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run directories")
    parser.add_argument("--dry_run", action="store_true", help="show what would change, write nothing")
    add_grading_flags(parser)
    options = parser.parse_args(arguments)
    with grading_pool(options) as pool:
        for directory in options.runs:
            read_run(directory)  # says what is wrong before a lock file is left in some other folder
            with exclusive(directory):
                rescored = rescore(read_run(directory), pool)
                if not options.dry_run:
                    write(rescored, pool)
            print(report(rescored, written=not options.dry_run))
    return 0


def rescore(run: Run, pool: GradingPool) -> Rescored:
    """Grade every sample that was generated; one that failed stays failed."""
    questions = {question.id: question for question in run.questions}
    answer_format = run.answer_format
    verdicts = {
        key: pool.submit(
            graded_text(sample.response, sample.opening, sample.reasoning, answer_format),
            questions[sample.question_id].as_asked(sample.sample).gold,
            questions[sample.question_id].kind,
            sample.finish_reason,
            answer_format,
        )
        for key, sample in run.samples.items()
        if sample.status != "failed"
    }
    samples = dict(run.samples)
    for key, future in verdicts.items():
        verdict = future.result()
        samples[key] = dataclasses.replace(
            samples[key],
            status=verdict.status,
            answer=verdict.answer,
            correct=verdict.status == "correct",
            reader=verdict.reader,
        )
    config = {**run.config, "grading_version": str(GRADING_VERSION)}
    after = summary_of(dataclasses.replace(run, samples=samples, config=config), pool.classes)
    return Rescored(run, samples, summary_of(run, pool.classes), after)


def write(rescored: Rescored, pool: GradingPool) -> None:
    """Replace the journal, the grading version and the summary; stopped in between, the command can be repeated."""
    directory = rescored.run.directory
    write_atomically(directory / SAMPLES_FILE, sample_lines(rescored.samples))
    config = {**rescored.run.config, "grading_version": str(GRADING_VERSION)}
    write_atomically(directory / CONFIG_FILE, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    summarise(directory, pool.classes)


def report(rescored: Rescored, *, written: bool) -> str:
    """What changed, for people."""
    before, after, changes = rescored.before, rescored.after, rescored.changes
    lines = [
        f"{rescored.run.directory}: {len(changes)} of {len(rescored.samples)} verdicts or answers "
        f"{'changed' if written else 'would change'}, grading version {before.grading_version} to "
        f"{after.grading_version}"
    ]
    questions = {question.id: question for question in rescored.run.questions}
    kinds = Counter((old.status, new.status) for old, new in changes)
    lines += [f"  {old} -> {new}: {count}" for (old, new), count in sorted(kinds.items())]
    lines += [
        f"  {old.question_id}, sample {old.sample}: {old.status} ({old.answer}) -> {new.status} ({new.answer})"
        f"; gold {questions[old.question_id].as_asked(old.sample).gold}{_decided_by(new)}"
        for old, new in changes[:_SHOWN]
    ]
    if len(changes) > _SHOWN:
        lines.append(f"  ... and {len(changes) - _SHOWN} more")
    for name, old_rate, new_rate in (
        ("Avg", before.avg, after.avg),
        ("Cons", before.cons, after.cons),
        ("Pass", before.pass_, after.pass_),
    ):
        lines.append(f"  {name}@{after.k}: {number(old_rate)} -> {number(new_rate)} ({signed(new_rate - old_rate)})")
    lines += [f"  {line}" for line in disagreements(rescored.samples, read_source_verdicts(rescored.run.directory))]
    return "\n".join(lines)


def _decided_by(sample: Sample) -> str:
    said = {"symbolic": ", decided by the second reader", "neither": ", which neither reader could decide"}
    return said.get(sample.reader or "", "")


if __name__ == "__main__":
    raise SystemExit(main())

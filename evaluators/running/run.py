"""`evaluate`: a benchmark's questions through the workers, the grading and the journal, to the summary."""

from __future__ import annotations

import errno
import functools
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evaluators.benchmarks.benchmark import Question
from evaluators.grading import GRADING_VERSION, GradingPool
from evaluators.records.journal import Journal, exclusive
from evaluators.records.provenance import differences, provenance, question_row
from evaluators.records.reading import read_config, write_atomically
from evaluators.records.schema import CONFIG_FILE, ENTROPIES_FILE, QUESTIONS_JSONL, SAMPLES_FILE, Sample
from evaluators.running.devices import WorkerPlace, plan_workers, usable_cores, visible_gpus
from evaluators.running.dispatcher import Fleet
from evaluators.running.interrupts import Interrupts
from evaluators.running.local_fleet import LocalFleet
from evaluators.running.progress import Progress
from evaluators.running.session import Session, Tasks
from evaluators.running.stopwatch import Stopwatch
from evaluators.running.workers import EngineFactory
from evaluators.settings.run_config import RunConfig
from srgen.engines import EngineConfig, Switches, load_engine
from srgen.errors import ConfigError

LOGS = "logs"
DONE, STOPPED, INTERRUPTED = 0, 1, 130
"""Exit statuses."""

EngineChoice = Callable[[WorkerPlace], EngineFactory]
"""What a worker at a place builds its engine with."""

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES}


def evaluate(
    config: RunConfig,
    questions: Sequence[Question],
    system_prompt: str | None,
    directory: Path,
    *,
    resume: bool = True,
    entropy_output_file: Path | None = None,
    engine: EngineChoice | None = None,
) -> int:
    """Generate, grade and journal every sample that the directory does not hold; then summarise and print.

    Returns the exit status: 0 when all samples are there, 130 after an interruption, 1 when the disk takes no more.
    Raises SRGenError for what the user has to change, a directory of another configuration among it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with exclusive(directory), Interrupts() as interrupts:
            _prepare(directory, provenance(config, questions, GRADING_VERSION), questions, resume=resume)
            with GradingPool(config.execution.grading_workers, config.execution.grading_timeout) as grader:
                work = _Work(config, questions, system_prompt, engine or _engine_choice(config))
                complete = _generate(work, directory, grader, interrupts)
                return _conclude(directory, grader, entropy_output_file, complete=complete)
    except KeyboardInterrupt:
        print(f"\nStopped at once. {_how_to_resume(directory)}", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        print(f"\nThe run has stopped: {error.strerror} ({directory}). {_how_to_resume(directory)}", file=sys.stderr)
        return STOPPED


def _prepare(directory: Path, record: dict[str, Any], questions: Sequence[Question], *, resume: bool) -> None:
    """Check that the directory is this run's, or make it so. Raises ConfigError where it is another's."""
    samples = directory / SAMPLES_FILE
    if samples.is_file() and samples.stat().st_size > 0:
        if not resume:
            raise ConfigError(f"{directory} holds samples already; choose another --run_name, or delete it")
        _verify(directory, record)
        return
    rows = (json.dumps(question_row(question), ensure_ascii=False) + "\n" for question in questions)
    write_atomically(directory / QUESTIONS_JSONL, "".join(rows))
    write_atomically(directory / CONFIG_FILE, yaml.safe_dump(record, sort_keys=False, allow_unicode=True))


def _verify(directory: Path, record: dict[str, Any]) -> None:
    if not (directory / CONFIG_FILE).is_file():
        raise ConfigError(f"{directory} holds samples but no {CONFIG_FILE}; choose another --run_name, or delete it")
    there, here = (_identity(config) for config in (read_config(directory), record))
    if found := differences(there, here):
        raise ConfigError(
            f"{directory} was begun with another configuration: {'; '.join(found)}; "
            "choose another --run_name, or delete it"
        )


def _identity(record: dict[str, Any]) -> dict[str, Any]:
    """What of config.yaml decides the samples and their verdicts; see RunConfig.identity."""
    run = {key: value for key, value in record["run"].items() if key != "execution"}
    return {**run, "questions_hash": record["questions_hash"], "grading_version": record["grading_version"]}


@dataclass(frozen=True, slots=True)
class _Work:
    """What `evaluate` is asked to do."""

    config: RunConfig
    questions: Sequence[Question]
    system_prompt: str | None
    engine: EngineChoice


def _generate(work: _Work, directory: Path, grader: GradingPool, interrupts: Interrupts) -> bool:
    """Make the samples that are owed; False after an interruption."""
    config = work.config
    with closing(Journal(directory, record=config.record_entropy)) as journal:
        tasks = Tasks(config, {question.id: question for question in work.questions}, work.system_prompt)
        owed = tasks.owed(journal)
        if not owed:
            return True
        stopwatch = Stopwatch(directory)
        with (
            _fleet(config, work.engine, directory / LOGS) as fleet,
            closing(Progress(len(work.questions) * config.average, journal.tally)) as progress,
        ):
            session = Session(tasks, owed, config=config, fleet=fleet, grader=grader, journal=journal)
            complete = session.run(interrupts, progress, stopwatch)
        stopwatch.save()
    _tell_failed(session.failed)
    return complete


@contextmanager
def _fleet(config: RunConfig, engine: EngineChoice, logs: Path) -> Iterator[Fleet]:
    fleet = _launch(config, engine, logs)
    try:
        yield fleet
    except BaseException:
        fleet.close(at_once=True)
        raise
    fleet.close()


def _launch(config: RunConfig, engine: EngineChoice, logs: Path) -> Fleet:
    if config.execution.launcher == "ray":
        from evaluators.running.ray_fleet import RayFleet  # Ray is an extra

        return RayFleet.connect(config, engine, logs)
    return LocalFleet(plan_workers(config, visible_gpus(), usable_cores()), engine, logs)


def _engine_choice(config: RunConfig) -> EngineChoice:
    def choose(place: WorkerPlace) -> EngineFactory:
        model, execution = config.model, config.execution
        return functools.partial(
            load_engine,
            EngineConfig(
                model_path=model.model_path,
                backend=model.backend,
                device=place.device,
                batch_size=execution.batch_size,
                dtype=model.dtype,
                attn_implementation=model.attn_implementation,
                device_map=model.device_map,
                tensor_parallel=execution.tensor_parallel,
                gpu_memory_utilization=execution.gpu_memory_utilization,
                max_model_len=execution.max_model_len,
                released=Switches(
                    reencode_context=model.reencode_context,
                    budget_per_pass=model.budget_per_pass,
                    drop_last_reflection=model.drop_last_reflection,
                ),
                base_url=execution.base_url,
                api_key_env=execution.api_key_env,
            ),
        )

    return choose


def _conclude(directory: Path, grader: GradingPool, entropy_output_file: Path | None, *, complete: bool) -> int:
    """Summarise and print what is there."""
    # Statistics take seconds to import; a worker, which imports the program that it belongs to, has no use for them.
    from evaluators.analysis.summary import summarise
    from evaluators.presentation.run_table import final_table

    if entropy_output_file is not None and (directory / ENTROPIES_FILE).is_file():
        entropy_output_file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(directory / ENTROPIES_FILE, entropy_output_file)
    print(final_table(summarise(directory, grader.classes)))
    print(f"Results: {directory}")
    if complete:
        return DONE
    print(f"Interrupted. {_how_to_resume(directory)}", file=sys.stderr)
    return INTERRUPTED


def _tell_failed(failed: Sequence[Sample]) -> None:
    if failed:
        first = failed[0]
        print(
            f"{len(failed)} samples could not be generated and count as wrong; "
            f"the first is {first.question_id}/{first.sample}: {first.error}",
            file=sys.stderr,
        )


def _how_to_resume(directory: Path) -> str:
    return f"All graded samples are safe in {directory / SAMPLES_FILE}; the same command goes on from there."

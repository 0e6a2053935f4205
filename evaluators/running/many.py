"""Runs through one fleet: those of one model share its workers, and models follow one another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from evaluators.grading import GradingPool
from evaluators.records.journal import Tally
from evaluators.running.crew import Crew
from evaluators.running.interrupts import Interrupts
from evaluators.running.launch import Launcher, engine_choice, launcher
from evaluators.running.local_fleet import leave_if_importing
from evaluators.running.open_run import OpenRun
from evaluators.running.plan import EngineChoice, Outcome, RunPlan
from evaluators.running.progress import Progress
from evaluators.running.session import ModelRuns, Session, Watch
from evaluators.settings.identity import path_name
from evaluators.settings.run_config import ExecutionConfig, ModelConfig, RunConfig


def work_off(
    plans: Sequence[RunPlan],
    logs: Path,
    interrupts: Interrupts,
    *,
    engine: Callable[[RunConfig], EngineChoice] = engine_choice,
    tally: Tally | None = None,
    in_process: bool = False,
    watch: Watch | None = None,
) -> list[Outcome]:
    """Make every sample that the plans' folders do not hold; what became of each plan, in their order.

    `logs`: folder for what the workers print. `engine`: what workers load, by configuration. `tally`, `watch`: see
    `Session`. `in_process`: the model is loaded here, not by worker processes. Raises SRGenError for what concerns all
    runs, OSError when a disk takes no more.
    """
    leave_if_importing()
    with ExitStack() as stack:
        # Outermost, so that grading outlives the workers and a summary outlives neither.
        grading = _Grading(stack)
        summaries = stack.enter_context(_Summaries())
        started = stack.enter_context(launcher([plan.config for plan in plans], logs, in_process=in_process))
        models = [_model_runs(group, started, grading, engine) for group in _by_model(plans)]
        session = Session(
            models, started.fleet, lambda run: summaries.add(run, grading.of(run.outcome.plan)), tally, watch
        )
        try:
            if session.open_runs():
                total = sum(len(plan.questions) * plan.config.average for plan in plans)
                with closing(Progress(total, session.tally, name=_named(plans))) as progress:
                    session.run(interrupts, progress)
            session.finish()
        except BaseException:
            session.abandon()
            raise
        found = {id(outcome.plan): outcome for outcome in [*summaries.outcomes(), *session.refused]}
        return [found[id(plan)] for plan in plans]


def _named(plans: Sequence[RunPlan]) -> str:
    """What is being worked on, for the line of progress."""
    if len(plans) > 1:
        return f"{len(plans)} runs"
    (plan,) = plans
    data = plan.config.data
    benchmark = f"{data.benchmark}-{data.version}" if data.version else data.benchmark
    return f"{path_name(plan.config.model.model_path)} {benchmark} {plan.directory.name}"


def _by_model(plans: Sequence[RunPlan]) -> list[list[RunPlan]]:
    """The plans of one model and one way of running it, together; in the order of their first."""
    groups: dict[tuple[ModelConfig, ExecutionConfig], list[RunPlan]] = {}
    for plan in plans:
        groups.setdefault((plan.config.model, plan.config.execution), []).append(plan)
    return list(groups.values())


def _model_runs(
    plans: list[RunPlan], started: Launcher, grading: _Grading, engine: Callable[[RunConfig], EngineChoice]
) -> ModelRuns:
    config = plans[0].config
    crew = Crew(
        lambda: started.places(config),
        engine(config),
        max_attempts=config.execution.max_attempts,
        silence=config.execution.worker_timeout,
    )
    return ModelRuns(crew, deque(plans), grading.of(plans[0]))


class _Grading:
    """The grading pools of the runs; runs with the same limits share one."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._pools: dict[tuple[int, float], GradingPool] = {}

    def of(self, plan: RunPlan) -> GradingPool:
        """The pool of a run, started when it is first asked for."""
        limits = plan.config.execution.grading_workers, plan.config.execution.grading_timeout
        if limits not in self._pools:
            self._pools[limits] = self._stack.enter_context(GradingPool(*limits))
        return self._pools[limits]


class _Summaries:
    """Summarises runs in a thread, while others go on; their folders are let go of when that is done."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._coming: list[Future[Outcome]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def add(self, run: OpenRun, pool: GradingPool) -> None:
        """Summarise a run and close it."""
        self._coming.append(self._thread.submit(_summarise, run, pool))

    def outcomes(self) -> list[Outcome]:
        """Those of all runs that were added. Raises what summarising them raised."""
        return [outcome.result() for outcome in self._coming]


def _summarise(run: OpenRun, pool: GradingPool) -> Outcome:
    from evaluators.analysis.summary import summarise  # statistics take seconds to import; a worker does without

    with closing(run):
        run.outcome.summary = summarise(run.outcome.plan.directory, pool.classes)
    return run.outcome

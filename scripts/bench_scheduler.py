"""What the harness itself costs: a run of many samples through scheduler, dispatcher and journal, without any model.

    python scripts/bench_scheduler.py [SAMPLES] [WORKERS]

Prints the time per sample, the memory before and after, and the time that resuming from the journal takes.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

from evaluators.benchmarks.benchmark import AnswerKind, Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.grading import Verdict
from evaluators.running.crew import Crew
from evaluators.running.devices import WorkerPlace
from evaluators.running.interrupts import Interrupts
from evaluators.running.open_run import OpenRun
from evaluators.running.plan import RunPlan
from evaluators.running.progress import Progress
from evaluators.running.session import ModelRuns, Session
from evaluators.running.workers import Beat, Done, EngineFactory, Order, Ready, Recall, Report, Returned, Work
from evaluators.settings.run_config import ExecutionConfig, ModelConfig, RunConfig
from srgen.config import Sampling
from srgen.engines.base import Completion, Engine

BATCH = 8
RESPONSE = "A line of reasoning that leads nowhere in particular. " * 40 + "\\boxed{1}"


class InstantFleet:
    """Workers that complete one sample of their batch whenever they are asked."""

    def __init__(self) -> None:
        self._work: dict[str, deque[str]] = {}
        self._news: list[tuple[str, Report]] = []

    def start(self, place: WorkerPlace, load: EngineFactory) -> None:
        self._work[place.name] = deque()
        self._news.append((place.name, Ready(BATCH)))

    def send(self, name: str, order: Order) -> None:
        if isinstance(order, Work):
            self._work[name].extend(request.id for request in order.requests)
        elif isinstance(order, Recall):
            returned = [self._work[name].pop() for _ in range(min(order.count, len(self._work[name])))]
            self._news.append((name, Returned(tuple(returned))))

    def poll(self, seconds: float) -> list[tuple[str, Report]]:
        news, self._news = self._news, []
        for name, work in self._work.items():
            if work:
                task = work.popleft()
                completion = Completion(
                    id=task, prompt_tokens=9, token_ids=(1, 2, 3), text=RESPONSE, finish_reason="stop"
                )
                news += [(name, Beat((task,))), (name, Done(completion))]
        return news

    def kill(self, name: str) -> None:
        del self._work[name]

    def close(self, *, at_once: bool = False) -> None:
        self._work.clear()


class InstantGrader:
    """Finds every answer right."""

    def submit(self, response: str, gold: str, kind: AnswerKind, *_: object) -> Future[Verdict]:
        verdict: Future[Verdict] = Future()
        verdict.set_result(Verdict("correct", gold))
        return verdict


def no_engine() -> Engine:
    raise AssertionError("the fleet is of no processes")


def resident_mib() -> float:
    """Memory that the process holds now; what the allocator keeps of freed batches is given back first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), count, workers)


def measure(directory: Path, count: int, workers: int) -> tuple[float, float, float]:
    """(CPU milliseconds per sample, MiB gained over the second half, CPU seconds to resume)."""
    average = 100
    config = RunConfig(
        model=ModelConfig(model_path="none"),
        data=DataConfig(benchmark="bench"),
        sampling=Sampling(),
        average=average,
        execution=ExecutionConfig(),
    )
    ids = [f"q{index}" for index in range(count // average)]
    questions = [Question(id=name, prompt="What is 1?", gold="1", kind="integer") for name in ids]
    plan = RunPlan(config=config, questions=questions, system_prompt=None, directory=directory)
    places = [WorkerPlace(name=f"instant:{i}", device=None, devices=frozenset({f"{i}"})) for i in range(workers)]
    crew = Crew(lambda: places, lambda place: no_engine, max_attempts=3, silence=60)
    session = Session([ModelRuns(crew, deque([plan]), InstantGrader())], InstantFleet(), OpenRun.close)
    session.open_runs()
    samples = len(ids) * average
    halves: list[float] = []

    class Watch(Progress):
        def update(self, load: Mapping[str, int | None], in_flight: int = 0) -> None:
            if not halves and session.tally.samples >= samples / 2:
                halves.append(resident_mib())

    began, worked = time.perf_counter(), time.process_time()
    session.run(Interrupts(), Watch(samples, session.tally))
    cost = 1000 * (time.perf_counter() - began) / samples
    work = 1000 * (time.process_time() - worked) / samples
    gained = resident_mib() - halves[0]
    size = (directory / "samples.jsonl").stat().st_size / 2**20

    began, worked = time.perf_counter(), time.process_time()
    run = OpenRun(plan)
    resumed, parsing = time.perf_counter() - began, time.process_time() - worked
    run.close()
    assert run.complete
    print(f"{samples} samples, {workers} workers: {cost:.3f} ms a sample, of which {work:.3f} ms CPU time")
    print(f"memory: {halves[0]:.1f} MiB half-way, {gained:+.1f} MiB at the end")
    print(f"resuming from a journal of {size:.0f} MiB: {resumed:.2f} s, of which {parsing:.2f} s CPU time")
    return work, gained, parsing


if __name__ == "__main__":
    main()

"""The dispatcher with fleets whose workers say what a test lets them say, and with workers that do anything."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.running.crew import Crew
from evaluators.running.devices import WorkerPlace
from evaluators.running.dispatcher import Dispatcher
from evaluators.running.workers import (
    Beat,
    Died,
    Done,
    Left,
    Order,
    Ready,
    Recall,
    Report,
    Resized,
    Returned,
    Stop,
    Work,
)
from srgen import Completion, Request, Sampling

PLACES = tuple(WorkerPlace(name=name, device="cpu", devices=frozenset({name})) for name in ("cpu:0", "cpu:1", "cpu:2"))
PLACE = PLACES[0]
SILENCE = 60.0


class ScriptedFleet:
    """Takes orders; its reports are those that were put into `said`."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Report]] = []
        self.orders: list[Order] = []
        self.started = 0

    def start(self, place: WorkerPlace, load: object) -> None:
        self.started += 1

    def send(self, name: str, order: Order) -> None:
        self.orders.append(order)

    def poll(self, seconds: float) -> list[tuple[str, Report]]:
        said, self.said = self.said, []
        return said

    def kill(self, name: str) -> None:
        raise AssertionError(f"{name} was killed")

    def close(self, *, at_once: bool = False) -> None:
        """Nothing runs."""


@dataclass(slots=True)
class SimulatedWorker:
    """What a worker that is alive holds."""

    ready: bool = False
    stopped: bool = False
    waiting: list[str] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    recalled: int = 0
    """Tasks that it is asked to give back."""


class SimulatedFleet:
    """Workers that load, generate, fall silent and die as chance wills. It holds the dispatcher to a fleet's rules."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.trouble = True
        """Whether workers still die or fall silent."""
        self.alive: dict[str, SimulatedWorker] = {}
        self.handed_over: list[str] = []
        """Tasks whose completion a poll has returned."""

    def start(self, place: WorkerPlace, load: object) -> None:
        assert place.name not in self.alive
        self.alive[place.name] = SimulatedWorker()

    def send(self, name: str, order: Order) -> None:
        worker = self.alive[name]
        assert not worker.stopped
        match order:
            case Work(requests):
                worker.waiting += [request.id for request in requests]
            case Stop():
                worker.stopped = True
            case Recall(count):
                worker.recalled = count

    def poll(self, seconds: float) -> list[tuple[str, Report]]:
        return [(name, report) for name in tuple(self.alive) for report in self._reports(name)]

    def kill(self, name: str) -> None:
        del self.alive[name]

    def close(self, *, at_once: bool = False) -> None:
        self.alive.clear()

    def _reports(self, name: str) -> list[Report]:
        worker = self.alive[name]
        reports: list[Report] = []
        while not self.trouble or self.chance.random() < 0.7:
            if self.trouble and self.chance.random() < 0.1:
                reports.append(Died("chance", fatal=self.chance.random() < 0.2))
            elif not worker.ready:
                worker.ready = True
                reports.append(Ready(2))
            elif worker.stopped:
                reports.append(Left())
            elif worker.recalled:
                back = [worker.waiting.pop() for _ in worker.waiting[: worker.recalled]]
                worker.recalled = 0
                reports.append(Returned(tuple(back)))
            elif worker.waiting and len(worker.running) < 2:
                worker.running.append(worker.waiting.pop(0))
                reports.append(Beat((worker.running[-1],), 1))
            elif worker.running:
                self.handed_over.append(worker.running.pop(0))
                reports.append(Done(completion(self.handed_over[-1])))
            else:
                break
            if isinstance(reports[-1], Died | Left):
                self.kill(name)
                break
        return reports


def crew(tasks: Sequence[str], places: Sequence[WorkerPlace] = (PLACE,)) -> Crew:
    made = Crew(lambda: places, lambda place: lambda: pytest.fail("loaded"), max_attempts=3, silence=SILENCE)
    made.scheduler.add(tasks)
    return made


def request(task: str) -> Request:
    return Request(id=task, prompt=(1,), sampling=Sampling(), seed=0)


def completion(task: str) -> Completion:
    return Completion(id=task, prompt_tokens=1, token_ids=(), text="", finish_reason="stop")


@pytest.mark.parametrize("late", [Returned(()), Beat(("a/0",), 7), Resized(1), Done(completion("a/0"))])
def test_what_a_worker_says_after_it_was_told_to_leave_changes_nothing(late: Report) -> None:
    """It has no lease any more; the next model gets the device when it has left."""
    first, second = crew(["a/0"]), crew(["b/0"])
    fleet = ScriptedFleet()
    dispatcher = Dispatcher([first, second], fleet, request)
    dispatcher.step(0)
    fleet.said = [(PLACE.name, Ready(4))]
    dispatcher.step(0)
    assert isinstance(fleet.orders[-1], Work)
    fleet.said = [(PLACE.name, Done(completion("a/0")))]
    assert [finished.task for finished in dispatcher.step(0)] == ["a/0"]
    dispatcher.step(0)
    assert isinstance(fleet.orders[-1], Stop)
    fleet.said = [(PLACE.name, late)]
    assert dispatcher.step(0) == []
    assert fleet.started == 1
    fleet.said = [(PLACE.name, Left())]
    dispatcher.step(0)
    dispatcher.step(0)
    assert fleet.started == 2
    fleet.said = [(PLACE.name, Ready(4))]
    dispatcher.step(0)
    fleet.said = [(PLACE.name, Done(completion("b/0")))]
    assert [finished.task for finished in dispatcher.step(0)] == ["b/0"]


@pytest.mark.parametrize("last_word", [Died("no such model", fatal=True), Died("killed by SIGKILL"), Left()])
def test_two_workers_end_in_the_same_moment(last_word: Report) -> None:
    """The first's failure ends the crew; the second is gone already, and is not killed."""
    broken = crew(["a/0", "a/1"], PLACES[:2])
    fleet = ScriptedFleet()
    dispatcher = Dispatcher([broken], fleet, request)
    dispatcher.step(0)
    assert fleet.started == 2
    fleet.said = [(PLACES[0].name, Died("no such model", fatal=True)), (PLACES[1].name, last_word)]
    assert dispatcher.step(0) == []
    assert str(broken.failure) == "no such model"
    assert broken.scheduler.open == 0


def test_what_is_handed_over_in_the_moment_of_a_failure_is_kept() -> None:
    first, second = PLACES[:2]
    broken = crew(["a/0", "a/1"], PLACES[:2])
    fleet = SimulatedFleet(random.Random(0))
    dispatcher = Dispatcher([broken], fleet, request)
    said: list[tuple[str, Report]] = []
    fleet.poll = lambda seconds: [said.pop() for _ in tuple(said)]  # type: ignore[method-assign]
    dispatcher.step(0)
    said += [(second.name, Ready(2))]
    dispatcher.step(0)
    (task,) = broken.scheduler.held(second.name)[:1]
    said += [(second.name, Done(completion(task))), (first.name, Died("no such model", fatal=True))]
    fleet.kill(first.name)
    assert [finished.task for finished in dispatcher.step(0)] == [task]
    assert str(broken.failure) == "no such model"
    assert not fleet.alive


@given(chance=st.randoms(use_true_random=False), tasks=st.tuples(st.integers(0, 12), st.integers(0, 12)))
def test_workers_that_do_anything(chance: random.Random, tasks: tuple[int, int]) -> None:
    """Nobody who is gone is spoken to, no completion that was handed over is lost, and each task ends once."""
    crews = [
        crew([f"{name}/{index}" for index in range(count)], PLACES) for name, count in zip("ab", tasks, strict=True)
    ]
    fleet = SimulatedFleet(chance)
    now = 0.0
    dispatcher = Dispatcher(crews, fleet, request, clock=lambda: now)
    finished = []
    for step in range(80):
        fleet.trouble = step < 30
        now += chance.choice([1, SILENCE]) if fleet.trouble else 1
        finished += dispatcher.step(0)
    assert sorted(f.task for f in finished if f.done) == sorted(fleet.handed_over)
    ended = [f.task for f in finished]
    assert len(set(ended)) == len(ended)
    for made, name, count in zip(crews, "ab", tasks, strict=True):
        assert made.scheduler.open == 0
        assert made.failure or sum(task.startswith(name) for task in ended) == count

"""The dispatcher with a fleet whose workers say what the test lets them say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from evaluators.running.crew import Crew
from evaluators.running.devices import WorkerPlace
from evaluators.running.dispatcher import Dispatcher
from evaluators.running.workers import Beat, Done, Left, Order, Ready, Report, Resized, Returned, Stop, Work
from srgen import Completion, Request, Sampling

PLACE = WorkerPlace(name="cpu:0", device="cpu", devices=frozenset({"cpu:0"}))


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


def crew(tasks: Sequence[str]) -> Crew:
    made = Crew(lambda: [PLACE], lambda place: lambda: pytest.fail("loaded"), max_attempts=3, silence=60)
    made.scheduler.add(tasks)
    return made


def completion(task: str) -> Completion:
    return Completion(id=task, prompt_tokens=1, token_ids=(), text="", finish_reason="stop")


@pytest.mark.parametrize("late", [Returned(()), Beat(("a/0",), 7), Resized(1), Done(completion("a/0"))])
def test_what_a_worker_says_after_it_was_told_to_leave_changes_nothing(late: Report) -> None:
    """It has no lease any more; the next model gets the device when it has left."""
    first, second = crew(["a/0"]), crew(["b/0"])
    fleet = ScriptedFleet()
    dispatcher = Dispatcher(
        [first, second], fleet, lambda task: Request(id=task, prompt=(1,), sampling=Sampling(), seed=0)
    )
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

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from evaluators.running.scheduler import Scheduler

TASKS = [f"q{index}/0" for index in range(25)]
MAX_ATTEMPTS = 3


class SchedulerMachine(RuleBasedStateMachine):
    """Any order of events: no task is lost, none is held twice, none leaves twice, none fails before its time."""

    workers = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(TASKS, MAX_ATTEMPTS)
        self.begun: dict[str, set[str]] = {}
        self.recalled: dict[str, int] = {}
        self.deaths: Counter[str] = Counter()
        self.gone: list[str] = []
        self.born = 0

    @rule(target=workers, capacity=st.integers(1, 5))
    def join(self, capacity: int) -> str:
        self.born += 1
        name = f"w{self.born}"
        self.scheduler.join(name, capacity)
        self.begun[name] = set()
        return name

    @rule()
    def hand_out(self) -> None:
        before = {worker: self.scheduler.held(worker) for worker in self.begun}
        given = self.scheduler.hand_out()
        for worker, tasks in given.items():
            assert self.scheduler.held(worker) == (*before[worker], *tasks)
            if any(self.scheduler.attempts(task) == MAX_ATTEMPTS - 1 for task in tasks):
                assert len(self.scheduler.held(worker)) == 1, "a last attempt is made alone"
        idle = [worker for worker in self.begun if not self.scheduler.held(worker)]
        assert not (idle and self.scheduler.queued), "nobody idles while something is queued"

    @rule(worker=workers, pick=st.randoms(use_true_random=False))
    def begin(self, worker: str, pick: random.Random) -> None:
        if waiting := [task for task in self.scheduler.held(worker) if task not in self.begun[worker]]:
            task = pick.choice(waiting)
            self.scheduler.begin(worker, task)
            self.begun[worker].add(task)

    @rule(worker=workers, pick=st.randoms(use_true_random=False))
    def complete(self, worker: str, pick: random.Random) -> None:
        if self.begun[worker]:
            task = pick.choice(sorted(self.begun[worker]))
            self.begun[worker].discard(task)
            assert self.scheduler.complete(worker, task)
            assert not self.scheduler.complete(worker, task), "a second completion does not count"
            self.gone.append(task)

    @rule(worker=workers, task=st.sampled_from(TASKS))
    def complete_what_is_not_held(self, worker: str, task: str) -> None:
        if task not in self.scheduler.held(worker):
            before = self.scheduler.open
            assert not self.scheduler.complete(worker, task)
            assert self.scheduler.open == before

    @rule(worker=workers, capacity=st.integers(1, 5))
    def resize(self, worker: str, capacity: int) -> None:
        self.scheduler.resize(worker, capacity)

    @rule()
    def ask_back(self) -> None:
        for worker, count in self.scheduler.recalls().items():
            assert worker not in self.recalled, "one recall at a time"
            assert 0 < count <= len(self.scheduler.held(worker)) - len(self.begun[worker])
            self.recalled[worker] = count

    @precondition(lambda self: self.recalled)
    @rule(answers=st.booleans())
    def give_back(self, answers: bool) -> None:
        worker, count = self.recalled.popitem()
        waiting = [task for task in self.scheduler.held(worker) if task not in self.begun[worker]]
        returned = waiting[-count:] if answers else []
        self.scheduler.give_back(worker, returned)
        assert not set(returned) & set(self.scheduler.held(worker))

    @rule(worker=consumes(workers))
    def lose(self, worker: str) -> None:
        held, begun = self.scheduler.held(worker), self.begun.pop(worker)
        self.recalled.pop(worker, None)
        self.deaths.update(begun or held)
        failed = self.scheduler.lose(worker)
        assert set(failed) == {task for task in held if self.deaths[task] == MAX_ATTEMPTS}
        self.gone += failed

    @invariant()
    def every_task_is_somewhere_once(self) -> None:
        held = [task for worker in self.begun for task in self.scheduler.held(worker)]
        assert len(held) == len(set(held))
        assert len(self.gone) == len(set(self.gone))
        assert not set(held) & set(self.gone)
        assert self.scheduler.open == len(TASKS) - len(self.gone)
        assert self.scheduler.queued == self.scheduler.open - len(held)

    def teardown(self) -> None:
        """One worker that lives is enough to finish, whatever went before."""
        for worker in list(self.begun):
            self.gone += self.scheduler.lose(worker)
        self.scheduler.join("last", 3)
        while given := self.scheduler.hand_out():
            for task in given["last"]:
                self.scheduler.begin("last", task)
                assert self.scheduler.complete("last", task)
                self.gone.append(task)
        assert sorted(self.gone) == sorted(TASKS)


TestScheduler = SchedulerMachine.TestCase
TestScheduler.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def test_tasks_go_out_in_their_order_with_a_few_in_advance() -> None:
    scheduler = Scheduler([str(index) for index in range(100)], 3)
    scheduler.join("a", 4)
    assert scheduler.hand_out() == {"a": ["0", "1", "2", "3", "4", "5"]}
    assert scheduler.hand_out() == {}


@given(tasks=st.integers(1, 60), workers=st.integers(1, 8), capacity=st.integers(1, 16), late=st.booleans())
def test_a_short_queue_is_shared_evenly(tasks: int, workers: int, capacity: int, late: bool) -> None:
    scheduler = Scheduler([str(index) for index in range(tasks)], 3, expected=workers)
    for name in range(workers):
        scheduler.join(str(name), capacity)
        if late:
            scheduler.hand_out()
    scheduler.hand_out()
    held = [len(scheduler.held(str(name))) for name in range(workers)]
    assert max(held) - min(held) <= 1 or tasks > workers * capacity
    assert sum(held) >= min(tasks, workers * capacity)


def test_what_waits_behind_a_long_row_is_asked_back_for_a_worker_that_would_idle() -> None:
    scheduler = Scheduler(["long", "behind it", "short"], 3)
    scheduler.join("a", 1)
    assert scheduler.hand_out() == {"a": ["long", "behind it"]}
    scheduler.begin("a", "long")
    scheduler.join("b", 1)
    assert scheduler.hand_out() == {"b": ["short"]}
    assert scheduler.recalls() == {}, "b has work"
    scheduler.begin("b", "short")
    scheduler.complete("b", "short")
    assert scheduler.recalls() == {"a": 1}
    assert scheduler.recalls() == {}, "asked once"
    scheduler.give_back("a", ["behind it"])
    assert scheduler.hand_out() == {"b": ["behind it"]}


def test_a_deadly_task_takes_no_neighbour_with_it() -> None:
    scheduler = Scheduler([str(index) for index in range(16)], MAX_ATTEMPTS)
    failed, done, deaths = [], [], 0
    while scheduler.open:
        scheduler.join("w", 8)
        while scheduler.hand_out() or scheduler.held("w"):
            for task in scheduler.held("w"):
                scheduler.begin("w", task)
            if "5" in scheduler.held("w"):
                failed += scheduler.lose("w")
                deaths += 1
                break
            for task in scheduler.held("w"):
                scheduler.complete("w", task)
                done.append(task)
        else:
            break
    assert (failed, deaths) == (["5"], MAX_ATTEMPTS)
    assert sorted(done, key=int) == [str(index) for index in range(16) if index != 5]


def test_tasks_that_were_not_begun_are_not_blamed() -> None:
    scheduler = Scheduler(["guilty", "waiting"], 1)
    scheduler.join("w", 1)
    assert scheduler.hand_out() == {"w": ["guilty", "waiting"]}
    scheduler.begin("w", "guilty")
    assert scheduler.lose("w") == ["guilty"]
    assert scheduler.open == 1


def test_where_nothing_is_known_to_be_begun_all_are_blamed() -> None:
    scheduler = Scheduler(["guilty"], 1)
    scheduler.join("w", 1)
    scheduler.hand_out()
    assert scheduler.lose("w") == ["guilty"]


def test_a_last_attempt_does_not_wait_for_the_next_hand_out() -> None:
    """The queue ends with one worker's tasks, and another has nothing to do."""
    scheduler = Scheduler(TASKS[:2], max_attempts=2)
    scheduler.join("first", 1)
    suspect = scheduler.hand_out()["first"][0]
    scheduler.begin("first", suspect)
    scheduler.lose("first")
    scheduler.join("second", 1)
    scheduler.join("third", 1)
    given = scheduler.hand_out()
    assert sorted(given) == ["second", "third"]
    assert sorted(task for tasks in given.values() for task in tasks) == sorted(TASKS[:2])
    assert [suspect] in given.values()

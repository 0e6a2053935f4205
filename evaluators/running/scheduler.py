"""Who works on what: the policy of the queue, free of processes, pipes and clocks.

A task is leased to one worker at a time and leaves the scheduler once, completed or failed; a worker that is lost gives
its tasks back. Tasks that a worker has begun when it is lost count an attempt, and a task's last attempt is made
alone, so that a sample which kills its worker takes no neighbour with it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Lease:
    """What one worker holds."""

    capacity: int
    tasks: dict[str, bool] = field(default_factory=dict)
    """Task -> has the worker begun it; in the order of hand-out."""
    begun: int = 0
    alone: bool = False
    recalled: bool = False
    """A recall is on its way; no second one until it is answered."""

    @property
    def surplus(self) -> int:
        """Tasks that have to wait for a place in the worker's batch."""
        return min(len(self.tasks) - self.begun, max(0, len(self.tasks) - self.capacity))

    @property
    def free(self) -> int:
        """Places in the worker's batch that nothing is leased for."""
        return 0 if self.alone else max(0, self.capacity - len(self.tasks))


class Scheduler:
    """Tasks in their order, leased to the workers that have joined.

    Nothing depends on the number of tasks; handing out and recalling go over the workers.
    """

    def __init__(self, tasks: Iterable[str], max_attempts: int, expected: int = 1) -> None:
        """`expected`: workers that will join, those that have joined included."""
        self._queue = deque(tasks)
        self._suspects: deque[str] = deque()
        self.max_attempts = max_attempts
        self.expected = expected
        self._attempts: dict[str, int] = {}
        self._leases: dict[str, _Lease] = {}
        self._leased = 0

    @property
    def open(self) -> int:
        """Tasks that have neither been completed nor failed."""
        return len(self._queue) + len(self._suspects) + self._leased

    @property
    def queued(self) -> int:
        """Open tasks that no worker holds."""
        return len(self._queue) + len(self._suspects)

    @property
    def waiting(self) -> bool:
        """Whether any task waits for a place, in the queue or at a worker whose batch is full."""
        return bool(self.queued) or any(lease.surplus for lease in self._leases.values())

    def add(self, tasks: Iterable[str]) -> None:
        """More tasks, behind those that are queued."""
        self._queue.extend(tasks)

    def clear(self) -> None:
        """Drop every task that is queued; none may be leased."""
        self._queue.clear()
        self._suspects.clear()
        self._attempts.clear()

    def held(self, worker: str) -> tuple[str, ...]:
        """The tasks that a worker holds; none when it has not joined."""
        lease = self._leases.get(worker)
        return tuple(lease.tasks) if lease else ()

    def attempts(self, task: str) -> int:
        """Workers that an open task has been begun by and lost with."""
        return self._attempts.get(task, 0)

    def join(self, worker: str, capacity: int) -> None:
        """A worker with `capacity` places in its batch is ready."""
        if worker in self._leases:
            raise ValueError(f"worker {worker!r} has joined already")
        self._leases[worker] = _Lease(capacity)

    def resize(self, worker: str, capacity: int) -> None:
        """A worker's batch has another number of places from now on."""
        self._leases[worker].capacity = capacity

    def hand_out(self) -> dict[str, list[str]]:
        """Lease queued tasks to the workers that have room for them, always to the one that holds the fewest."""
        given: dict[str, list[str]] = {}
        ahead = len(self._queue) > sum(lease.capacity for lease in self._leases.values())
        limits = {worker: self._limit(lease, ahead) for worker, lease in self._leases.items()}
        room = [(len(self._leases[worker].tasks), worker) for worker, limit in limits.items()]
        heapq.heapify(room)
        while self._queue and room:
            held, worker = heapq.heappop(room)
            if held < limits[worker]:
                given.setdefault(worker, []).append(self._lease(self._leases[worker], self._queue.popleft()))
                heapq.heappush(room, (held + 1, worker))
        return given | self._hand_out_suspects()

    def begin(self, worker: str, task: str) -> None:
        """The worker has put the task into its batch."""
        lease = self._leases[worker]
        if lease.tasks.get(task) is False:
            lease.tasks[task] = True
            lease.begun += 1

    def complete(self, worker: str, task: str) -> bool:
        """The worker has completed the task. False, and nothing changes, when the task is not leased to it."""
        lease = self._leases.get(worker)
        if lease is None or task not in lease.tasks:
            return False
        self._drop(lease, task)
        self._attempts.pop(task, None)
        return True

    def give_back(self, worker: str, tasks: Iterable[str]) -> None:
        """The answer to a recall: tasks that the worker had not begun, possibly none."""
        lease = self._leases[worker]
        lease.recalled = False
        for task in tasks:
            if task in lease.tasks:
                self._drop(lease, task)
                self._requeue(task)

    def recalls(self) -> dict[str, int]:
        """Worker -> how many of its waiting tasks to ask back, for workers with free places that would idle."""
        hungry = 0 if self._queue else sum(lease.free for lease in self._leases.values())
        hungry -= sum(lease.surplus for lease in self._leases.values() if lease.recalled)
        asked: dict[str, int] = {}
        for worker, lease in self._leases.items():
            count = min(hungry, lease.surplus)
            if count > 0 and not lease.recalled:
                lease.recalled = True
                asked[worker] = count
                hungry -= count
        return asked

    def lose(self, worker: str) -> list[str]:
        """The worker is gone. Its tasks are queued again, but for those returned, which have had their last attempt.

        Where the worker is not known to have begun any, all count an attempt: its word may have died with it.
        """
        lease = self._leases.pop(worker, None)
        if lease is None:
            return []
        self._leased -= len(lease.tasks)
        failed = []
        for task in reversed(lease.tasks):
            if lease.tasks[task] or not lease.begun:
                self._attempts[task] = self._attempts.get(task, 0) + 1
            if self._attempts.get(task, 0) >= self.max_attempts:
                del self._attempts[task]
                failed.append(task)
            else:
                self._requeue(task)
        return failed

    def _requeue(self, task: str) -> None:
        attempts = self._attempts.get(task, 0)
        if attempts and attempts == self.max_attempts - 1:
            self._suspects.append(task)
        else:
            self._queue.appendleft(task)

    def _hand_out_suspects(self) -> dict[str, list[str]]:
        """Once all else is done or running: each suspect to a worker that holds nothing."""
        given: dict[str, list[str]] = {}
        for worker, lease in self._leases.items():
            if self._suspects and not self._queue and not lease.tasks:
                lease.alone = True
                given[worker] = [self._lease(lease, self._suspects.popleft())]
        return given

    def _limit(self, lease: _Lease, ahead: bool) -> int:
        """How many tasks a worker may hold: a full batch, while there are plenty a few more, so that its device never
        waits, and no more than its share while others are still loading.
        """
        if lease.alone:
            return 0
        limit = lease.capacity + (lease.capacity // 4 + 1 if ahead else 0)
        if self.expected > len(self._leases):
            limit = min(limit, max(1, (len(self._queue) + self._leased) // self.expected))
        return limit

    def _lease(self, lease: _Lease, task: str) -> str:
        lease.tasks[task] = False
        self._leased += 1
        return task

    def _drop(self, lease: _Lease, task: str) -> None:
        lease.begun -= lease.tasks.pop(task)
        lease.alone = lease.alone and bool(lease.tasks)
        self._leased -= 1

"""A worker's loop by itself: when it hears what it is told."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from scripted_engine import Script, ScriptedEngine

from evaluators.running.workers import Beat, Left, Order, Recall, Report, Returned, Stop, Work, serve
from srgen import Request, Sampling


def test_orders_are_heard_while_a_long_row_takes_the_only_place() -> None:
    inbox: SimpleQueue[Order] = SimpleQueue()
    told: SimpleQueue[Report] = SimpleQueue()
    endless = ScriptedEngine(Script(median_steps=10**6, sigma=0))
    threading.Thread(target=serve, args=(lambda: endless, inbox, told.put), daemon=True).start()

    def next_of(kind: type[Report]) -> Report:
        while not isinstance(report := told.get(timeout=60), kind):
            pass
        return report

    inbox.put(Work(tuple(Request(id=name, prompt=(1,), sampling=Sampling(), seed=0) for name in ("long", "other"))))
    assert next_of(Beat) == Beat(("long",), 0)
    inbox.put(Recall(1))
    assert next_of(Returned) == Returned(("other",)), "another worker can have it"
    inbox.put(Stop())
    assert next_of(Left) == Left()

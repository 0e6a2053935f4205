from __future__ import annotations

import io

import pytest

from evaluators.records.journal import Tally
from evaluators.running import progress as module
from evaluators.running.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", clock.monotonic)
    return clock


def test_a_log_gets_a_plain_line_at_most_every_half_minute(clock: Clock) -> None:
    stream, tally = io.StringIO(), Tally(samples=4, correct=1, tokens=1000)
    progress = Progress(10, tally, stream)
    for second in range(61):
        clock.now = 100.0 + second
        if second == 30:
            tally.samples, tally.correct, tally.tokens, tally.reflections = 6, 3, 1600, 7
        progress.update({"cuda:0": 8, "cuda:1": None})
    lines = stream.getvalue().splitlines()
    assert lines == [
        "6 of 10 samples, 1 min left, accuracy 50.0 %, 20 tokens/s, 7 reflections, in flight 8/loading",
        "6 of 10 samples, 2 min left, accuracy 50.0 %, 10 tokens/s, 7 reflections, in flight 8/loading",
    ]


def test_a_terminal_gets_one_line(clock: Clock) -> None:
    stream, tally = Terminal(), Tally(samples=4, correct=1)
    progress = Progress(10, tally, stream)
    for second in range(20):
        clock.now = 100.0 + second
        tally.samples = 4 + min(6, second)
        progress.update({"cpu:0": 3})
    progress.close()
    shown = stream.getvalue()
    assert shown.count("\n") == 1
    assert "10/10" in shown
    assert "in flight 3" in shown


def test_failures_are_shown() -> None:
    progress = Progress(10, Tally(samples=4, failed=2), io.StringIO())
    assert "2 failed" in progress.describe()


def test_nothing_yet_is_no_division_by_zero() -> None:
    stream = io.StringIO()
    Progress(10, Tally(), stream).close()
    assert stream.getvalue().startswith("0 of 10 samples, time left unknown, accuracy -, 0 tokens/s")

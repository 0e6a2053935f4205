from __future__ import annotations

import dataclasses
import io

import pytest

from evaluators.records.journal import Tally
from evaluators.records.schema import Sample
from evaluators.running import progress as module
from evaluators.running.progress import Progress

SAMPLE = Sample(
    question_id="a",
    sample=0,
    seed=1,
    prompt_tokens=3,
    response="1",
    answer="1",
    status="correct",
    correct=True,
    generated_tokens=2,
    finish_reason="stop",
    reflections=0,
    seconds=0.1,
    worker="cpu:0",
)


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
        "6 of 10 samples, 1 min left, accuracy 50.0 % [5, 95], 20 tokens/s, 7 reflections, in flight 8/loading",
        "6 of 10 samples, 2 min left, accuracy 50.0 % [5, 95], 10 tokens/s, 7 reflections, in flight 8/loading",
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


def test_loading_is_no_part_of_the_rate_and_tokens_count_before_their_sample_ends(clock: Clock) -> None:
    progress = Progress(10, Tally(tokens=500), io.StringIO())
    for now, load, in_flight in ((110.0, None, 0), (200.0, 0, 0), (210.0, 8, 4000)):
        clock.now = now
        progress.update({"cuda:0": load}, in_flight)
    assert progress.describe() == "accuracy -, 400 tokens/s, 0 reflections, in flight 8 (4,000 tokens)"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["log", "terminal"])
def test_it_names_what_is_worked_on_and_what_is_there(stream: io.StringIO) -> None:
    progress = Progress(10, Tally(samples=4), stream, name="tiny aime-2025 srgen-k4")
    progress.note("worker cuda:0 is gone")
    progress.close()
    assert "tiny aime-2025 srgen-k4: 10 samples, 4 of them from before\n" in stream.getvalue()
    assert "worker cuda:0 is gone\n" in stream.getvalue()


def test_the_interval_is_wilsons_over_questions() -> None:
    """Wilson, 1927: 20 of 50 is [27.6, 53.8] in per cent; four samples of each question change nothing."""
    for k in (1, 4):
        tally = Tally(samples=50 * k, correct=20 * k, questions=50)
        assert "accuracy 40.0 % [28, 54]" in Progress(200, tally, io.StringIO()).describe()


def test_questions_are_counted_once() -> None:
    journal = [SAMPLE, dataclasses.replace(SAMPLE, sample=1), dataclasses.replace(SAMPLE, question_id="b")]
    tally = Tally()
    for sample in journal:
        tally.add(sample)
    assert (tally.samples, tally.questions) == (3, 2)
    other = Tally()
    other += tally
    assert other == tally

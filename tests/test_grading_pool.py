"""The pool: verdicts, limits from dispatch, workers that hang, grow or die."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from evaluators.grading import GradingPool, Verdict

SLOW = r"\boxed{\sum_{k=1}^{1000} \sum_{j=1}^{1000} \sin(kj)}"
"""Within every limit on size, and many seconds of work."""
SLOW_FOR_THE_SECOND = r"\boxed{\int_0^1 \frac{\ln(1+x+x^{17}+\sin x)}{\sqrt{1+x^{31}}}e^{\cos(x^7+x)} dx}"
ROOT = Path(__file__).resolve().parents[1]


def pid_of_worker(pool: GradingPool) -> int:
    return pool.process_ids()[0]


def test_verdicts_and_classes_come_from_another_process() -> None:
    with GradingPool(workers=1) as pool:
        assert pool.submit(r"\boxed{\frac12}", "0.5", "latex").result() == Verdict("correct", r"\frac12", "exact")
        assert pool.submit("so it is 12 and", "12", "latex", "length").result() == Verdict("no_answer", None)
        assert pool.classes(["1/2", None, "3", "0.5"], "latex") == [0, -1, 1, 0]
        assert pid_of_worker(pool) != os.getpid()


def test_twenty_bombs_among_a_thousand_cases_cost_only_themselves() -> None:
    bombs = {i: SLOW_FOR_THE_SECOND if i % 250 == 7 else SLOW for i in range(7, 1_000, 50)}
    with GradingPool(workers=2, limit=0.5, second_limit=0.3) as pool:
        futures = [pool.submit(bombs.get(i, rf"\boxed{{{i}}}"), str(i), "latex") for i in range(1_000)]
        verdicts = [future.result() for future in futures]
    assert {i for i, v in enumerate(verdicts) if v == Verdict("timeout", None)} == set(bombs)
    assert sum(v.status == "correct" for v in verdicts) == 980


def test_cases_that_are_sent_together_each_get_their_own_verdict() -> None:
    with GradingPool(workers=1, limit=0.5) as pool:
        lengths = [n % 7 * 2_000 for n in range(100)]
        futures = [
            pool.submit("so " * lengths[n] + rf"\boxed{{{n}}}" if n != 50 else SLOW, str(n), "latex")
            for n in range(100)
        ]
        verdicts = [future.result() for future in futures]
    assert [n for n, verdict in enumerate(verdicts) if verdict != Verdict("correct", str(n), "exact")] == [50]


def test_the_limit_runs_from_dispatch() -> None:
    with GradingPool(workers=1, limit=0.5) as pool:
        slow = [pool.submit(SLOW, "1", "latex") for _ in range(3)]
        queued = pool.submit(r"\boxed{1}", "1", "latex")
        assert queued.result(timeout=60).status == "correct"
        assert [future.result().status for future in slow] == ["timeout"] * 3


def test_a_worker_that_no_longer_responds_is_killed_and_replaced() -> None:
    with GradingPool(workers=1, limit=0.5) as pool:
        pool.submit("1", "1", "latex").result()
        stuck = pid_of_worker(pool)
        os.kill(stuck, signal.SIGSTOP)
        assert pool.submit("1", "1", "latex").result(timeout=30).status == "timeout"
        assert pool.submit("1", "1", "latex").result(timeout=30).status == "correct"
        with pytest.raises(ProcessLookupError):
            os.kill(stuck, 0)


def test_a_worker_that_dies_takes_only_its_own_case() -> None:
    with GradingPool(workers=1, limit=20) as pool:
        pool.submit("1", "1", "latex").result()
        dying = pool.submit(SLOW, "1", "latex")
        after = [pool.submit("1", "1", "latex") for _ in range(5)]
        while not dying.running():
            time.sleep(0.01)
        os.kill(pid_of_worker(pool), signal.SIGKILL)
        assert dying.result(timeout=30) == Verdict("timeout", None)
        assert [future.result(timeout=30).status for future in after] == ["correct"] * 5


def test_a_worker_that_died_idle_costs_no_verdict() -> None:
    with GradingPool(workers=1) as pool:
        pool.submit("1", "1", "latex").result()
        os.kill(pid_of_worker(pool), signal.SIGKILL)
        time.sleep(0.2)
        assert pool.submit("1", "1", "latex").result(timeout=30).status == "correct"


def test_a_long_response_to_a_stuck_worker_is_late_too() -> None:
    with GradingPool(workers=1, limit=0.5) as pool:
        pool.submit("1", "1", "latex").result()
        os.kill(pid_of_worker(pool), signal.SIGSTOP)
        assert pool.submit("so " * 100_000 + r"\boxed{1}", "1", "latex").result(timeout=30).status == "timeout"
        assert pool.submit("so " * 100_000 + r"\boxed{1}", "1", "latex").result(timeout=30).status == "correct"


def test_memory_is_bounded() -> None:
    """A worker holds a response twice at least, as the line it came in and by itself: this one is beyond its memory."""
    memory = 200 * 2**20
    with GradingPool(workers=1, limit=60, memory=memory) as pool:
        assert pool.submit("x" * (memory // 2), "1", "latex").result().status == "timeout"
        assert pool.submit("1", "1", "latex").result().status == "correct"


def test_the_same_response_is_graded_where_memory_allows_it() -> None:
    with GradingPool(workers=1, limit=60, memory=2_000 * 2**20) as pool:
        assert pool.submit("x" * (100 * 2**20), "1", "latex").result().status != "timeout"


def test_an_interrupt_in_the_terminal_leaves_the_workers_alone() -> None:
    with GradingPool(workers=1) as pool:
        pool.submit("1", "1", "latex").result()
        pid = pid_of_worker(pool)
        assert os.getpgid(pid) != os.getpgid(0)
        os.kill(pid, signal.SIGINT)
        assert pool.submit("1", "1", "latex").result().status == "correct"
        assert pid_of_worker(pool) == pid


def test_killed_while_a_process_starts_its_thread_ends_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    ready = select.select

    def slow(*waited: Any) -> Any:
        found = ready(*waited)
        time.sleep(0.3)
        return found

    monkeypatch.setattr(select, "select", slow)
    pool = GradingPool(workers=1)
    future = pool.submit("7", "7", "integer")
    time.sleep(0.1)
    pool.kill()
    assert future.result(timeout=10).status == "timeout"
    assert not failures


def test_kill_ends_everything_at_once() -> None:
    pool = GradingPool(workers=1, limit=60)
    futures = [pool.submit(SLOW, "1", "latex") for _ in range(3)]
    time.sleep(0.5)
    start = time.monotonic()
    pool.kill()
    assert [future.result(timeout=10).status for future in futures] == ["timeout"] * 3
    assert time.monotonic() - start < 10
    assert pool.submit("1", "1", "latex").result(timeout=10).status == "timeout"


def test_classes_that_take_too_long_fall_back_to_equal_texts() -> None:
    slow = SLOW.removeprefix(r"\boxed{").removesuffix("}")
    with GradingPool(workers=1, limit=0.3) as pool:
        assert pool.classes([slow, "1", slow, None], "latex") == [0, 1, 0, -1]


def test_the_callers_alarm_survives_and_other_threads_may_grade() -> None:
    rang = threading.Event()
    previous = signal.signal(signal.SIGALRM, lambda *_: rang.set())
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    statuses: list[str] = []

    def work() -> None:
        with GradingPool(workers=1) as pool:
            statuses.append(pool.submit("1", "1", "latex").result().status)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert statuses == ["correct"]
    assert rang.wait(5)
    signal.signal(signal.SIGALRM, previous)


def test_importing_the_grader_is_light() -> None:
    heavy = ("torch", "transformers", "sympy", "latex2sympy2_extended", "datasets", "numpy")
    code = f"import sys, evaluators.grading; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_module_answers_line_by_line() -> None:
    lines = (
        '{"id": "a", "benchmark_kind": "integer-aime", "gold": "7", "response": "\\\\boxed{007}"}\n'
        '{"id": "b", "benchmark_kind": "adversarial", "gold": "B", "response": "(B) because"}\n'
        '{"id": "c", "benchmark_kind": "set", "gold": "1,2", "response": "and then"}\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "evaluators.grading"], cwd=ROOT, input=lines, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        '{"id": "a", "status": "correct", "answer": "007", "reader": "exact"}',
        '{"id": "b", "status": "correct", "answer": "B", "reader": "exact"}',
        '{"id": "c", "status": "no_answer", "answer": null, "reader": null}',
    ]


def test_explain_names_the_rule_both_readings_and_the_reader() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evaluators.grading", "--explain", "--gold", r"\frac13"],
        cwd=ROOT,
        input=r"So it is $\boxed{\int_0^1 x^2\,dx}$.",
        capture_output=True,
        text=True,
        check=True,
    )
    for part in ("the last box", "gold as", "read as", "integral", "undecided", "second reader", "correct"):
        assert part in done.stdout


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes"),
        (b"[]", "not an object"),
        (b'{"id": 1}', "it has no 'response'"),
        (b'{"response": "\xe9"}', "not UTF-8"),
    ],
)
def test_a_line_that_is_no_case_gets_one_sentence(line: bytes, fault: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evaluators.grading"],
        cwd=ROOT,
        input=line + b"\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.decode() == (
        f"error: line 1 is not a case ({fault}); a case is a JSON object with id, benchmark_kind, gold and response\n"
    )

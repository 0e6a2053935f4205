"""What a terminal shows of a run that is interrupted, or whose workers die: nothing that is not so."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest
from scripted_run import assert_complete, lines, wait_for
from scripted_study import MODELS, write_study
from scripted_study import assert_complete as assert_complete_study

from evaluators.study.reading import read_study


class OnTerminal:
    """A program of the tests as a process on a terminal of its own; what it shows is in `shown`."""

    def __init__(self, program: str, *arguments: str) -> None:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 200))
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(program)), *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm"},
        )
        os.close(theirs)
        self.shown = ""
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def ctrl_c(self) -> None:
        """As the terminal does it: to every process of its foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> str:
        """All that it has shown, when nobody writes to the terminal any more: the last are Python's own helpers."""
        self.process.wait(60)
        self._reader.join(20)
        return self.shown

    def _read(self, terminal: int) -> None:
        try:
            while chunk := os.read(terminal, 65536):
                self.shown += chunk.decode(errors="replace")
        except OSError:  # the other end is closed
            pass


def scripted(directory: Path, count: int, **script: object) -> OnTerminal:
    """A run."""
    return OnTerminal("scripted_run.py", str(directory), str(count), "1", '{"workers": 1}', json.dumps(script))


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The run's worker processes; its graders have names of their own."""
    found = []
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"spawn_main" in command:
            found.append(int(child))
    return found


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_the_end_of_a_run_leaves_no_word_of_pythons_own(tmp_path: Path, signal_number: signal.Signals) -> None:
    run = scripted(tmp_path, 500, median_steps=20, step_seconds=0.005, bar=True)
    wait_for(lambda: lines(tmp_path) > 3)
    run.process.send_signal(signal_number)
    shown = run.end()
    assert "resource_tracker" not in shown
    assert "Traceback" not in shown
    assert "%|" in shown, "a bar was there"


def test_ctrl_c_in_a_study_loses_nothing_and_the_same_command_goes_on(tmp_path: Path) -> None:
    path = write_study(tmp_path, questions=40, average=2, workers=2, models=MODELS[:1], benchmarks=["aime"])
    slow, quick = ({"median_steps": 20, "step_seconds": seconds, "batch_size": 4} for seconds in (0.01, 0))
    study = OnTerminal("scripted_study.py", str(path), json.dumps(slow))
    wait_for(lambda: lines(tmp_path) > 100)  # within the second cell
    study.ctrl_c()
    shown = study.end()
    assert study.process.returncode == 130
    assert "Interrupted; all graded samples are safe, and the same command goes on from there." in shown
    assert "resource_tracker" not in shown and "Traceback" not in shown
    kept = lines(tmp_path)
    assert 100 < kept < 3 * 80
    assert re.search(r"tiny-a/aime/srgen: \d+ of 80 samples are there", shown), "the table says what is lacking"
    before = {name: name.read_bytes() for name in tmp_path.rglob("samples.jsonl")}
    again = OnTerminal("scripted_study.py", str(path), json.dumps(quick))
    shown = again.end()
    assert again.process.returncode == 0
    assert f"{kept:,} samples are there" in shown
    assert_complete_study(read_study(path), 40, 2)
    assert all(name.read_bytes().startswith(lines_) for name, lines_ in before.items()), "what was there stays"


def test_ctrl_c_while_loading_shows_no_table_of_zeros(tmp_path: Path) -> None:
    run = scripted(tmp_path, 3, load_seconds=60)
    wait_for(lambda: "loading" in run.shown)
    run.process.send_signal(signal.SIGINT)
    shown = run.end()
    assert run.process.returncode == 130
    assert "Avg@1" not in shown
    assert "the same command goes on from there" in shown
    assert "Traceback" not in shown


def test_a_worker_that_dies_is_told_of_and_replaced(tmp_path: Path) -> None:
    run = scripted(tmp_path, 60, median_steps=20, step_seconds=0.005)
    wait_for(lambda: lines(tmp_path) > 3)
    (worker,) = workers_of(run.process)
    os.kill(worker, signal.SIGKILL)
    shown = run.end()
    assert run.process.returncode == 0
    assert "worker cpu:0 is gone (killed by SIGKILL (by hand, or for want of memory)); another takes its place" in shown
    assert_complete(tmp_path, 60, 1)


def test_a_script_without_a_guard_is_told_so_once(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "from pathlib import Path\nfrom scripted_engine import Script\nfrom scripted_run import plan\n"
        "from evaluators.running.run import evaluate\nfrom srgen.command_line import command\n"
        f"command(lambda: evaluate(plan(Path({str(tmp_path / 'run')!r}), 2), engine=Script().engine))()\n"
    )
    places = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == (
        "error: the workers import the script that starts the run, which must therefore do so under "
        "`if __name__ == '__main__':`"
    )
    assert "Traceback" not in done.stderr
    assert done.stderr.count("__main__") == 1

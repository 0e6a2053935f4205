"""Faults at random moments of runs, and the same command after each: is anything lost, twice, or unsaid?

    python scripts/fault_campaign.py [--faults 100] [--seed 0]

An engine without a model generates, all else is the real thing: worker processes, graders, journal, summary.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN = ROOT / "tests" / "scripted_run.py"
QUESTIONS, SAMPLES = 40, 2
EXECUTION = {"workers": 2, "worker_timeout": 20.0, "grading_timeout": 2.0}
SCRIPT = {"median_steps": 20, "step_seconds": 0.004, "batch_size": 2}
LIMIT = 120.0
"""Seconds after which a command counts as hanging."""
JUMPY = "import random, time\n_time = time.time\ntime.time = lambda: _time() + random.choice([-1e8, 0, 1e8])\n"
"""A clock that jumps by years, as sitecustomize.py."""


class FaultError(AssertionError):
    """Something was lost, twice, or not said in a sentence."""


@dataclass(slots=True)
class Campaign:
    """One folder after another, until so many faults have been injected."""

    place: Path
    draw: random.Random
    injected: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    kept: dict[tuple[str, int], str] = field(default_factory=dict)
    """The journal's lines as they were last seen; none of them may change or go."""

    @property
    def folder(self) -> Path:
        """The run that is being made."""
        return self.place / f"run-{self.runs}"

    def inject(self, kind: str) -> None:
        """Begin or go on with the run, let the fault happen, and check what is left."""
        FAULTS[kind](self)
        self.injected[kind] += 1
        self.check()

    def finish(self) -> None:
        """End the run with the same command, undisturbed; every sample is there once then. The next is a new one."""
        process = self.start()
        said = ended(process)
        if process.returncode:
            raise FaultError(f"the last command ended with {process.returncode}: {said}")
        self.check()
        if len(self.kept) != QUESTIONS * SAMPLES:
            raise FaultError(f"{len(self.kept)} of {QUESTIONS * SAMPLES} samples are there")
        for name in ("summary.csv", "questions.csv", "timing.json"):
            if not (self.folder / name).is_file():
                raise FaultError(f"{name} is missing")
        self.kept.clear()
        self.runs += 1

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """The same command each time, as a process."""
        arguments = [str(self.folder), str(QUESTIONS), str(SAMPLES), json.dumps(EXECUTION), json.dumps(SCRIPT)]
        return subprocess.Popen(
            [sys.executable, str(RUN), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **environment},
        )

    def generating(self, **environment: str) -> subprocess.Popen[str]:
        """The command, once it has written a few more samples, or has ended."""
        before, process = len(rows(self.folder)), self.start(**environment)
        more, deadline = self.draw.randrange(1, 6), time.monotonic() + LIMIT
        while process.poll() is None and len(rows(self.folder)) < before + more and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(self.draw.random() * 0.1)
        return process

    def check(self) -> None:
        """Compare the journal with what it was."""
        found: dict[tuple[str, int], str] = {}
        for line in rows(self.folder):
            sample = json.loads(line)
            key = (sample["question_id"], sample["sample"])
            if key in found:
                raise FaultError(f"{key} is there twice")
            found[key] = line
        lost = {key for key, line in self.kept.items() if found.get(key) != line}
        if lost:
            raise FaultError(f"lost or changed: {sorted(lost)}")
        self.kept = found


def rows(folder: Path) -> list[str]:
    """The whole lines of a run's journal."""
    try:
        return (folder / "samples.jsonl").read_text("utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return []


def ended(process: subprocess.Popen[str], status: int | None = None) -> str:
    """What the command said on stderr when it has ended; with `status`, as it should have."""
    try:
        _, said = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        raise FaultError("the command hangs") from None
    if "Traceback" in said:
        raise FaultError(f"a traceback: {said}")
    if status is not None and process.returncode not in (0, status):
        raise FaultError(f"status {process.returncode}, not {status}: {said}")
    return said


def helpers(process: subprocess.Popen[str], mark: str) -> list[int]:
    """The command's workers (`spawn_main`) or graders (`pool.worker`)."""
    listing = subprocess.run(
        ["ps", "-ww", "--ppid", str(process.pid), "-o", "pid=,args="], check=False, capture_output=True, text=True
    ).stdout
    return [int(line.split()[0]) for line in listing.splitlines() if mark in line]


def _signal_one(campaign: Campaign, mark: str, number: signal.Signals) -> None:
    process = campaign.generating()
    for pid in helpers(process, mark)[:1]:
        os.kill(pid, number)
    ended(process, 0)


def kill_parent(campaign: Campaign) -> None:
    process = campaign.generating()
    process.kill()
    process.communicate()


def interrupt(campaign: Campaign) -> None:
    process = campaign.generating()
    process.send_signal(campaign.draw.choice([signal.SIGINT, signal.SIGTERM]))
    ended(process, 130)


def pause_parent(campaign: Campaign) -> None:
    process = campaign.generating()
    process.send_signal(signal.SIGSTOP)
    time.sleep(campaign.draw.random() * 3)
    process.send_signal(signal.SIGCONT)
    ended(process, 0)


def full_disk(campaign: Campaign) -> None:
    """No file may grow by more than a little: the write fails halfway through a line, as on a full disk."""
    process = campaign.generating()
    journal = campaign.folder / "samples.jsonl"
    room = (journal.stat().st_size if journal.exists() else 0) + campaign.draw.randrange(40, 600)
    if process.poll() is None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
    said = ended(process, 1)
    if process.returncode == 1 and "The run has stopped: File too large" not in said:
        raise FaultError(f"not said: {said}")


def corrupt_line(campaign: Campaign) -> None:
    """A line is overwritten in the middle; the command names it, and what it says to do is done."""
    kill_parent(campaign)
    campaign.check()
    lines = rows(campaign.folder)
    if not lines:
        return
    number = campaign.draw.randrange(len(lines))
    hurt = json.loads(lines[number])
    broken = [*lines[:number], lines[number][: len(lines[number]) // 2] + "\x00#", *lines[number + 1 :]]
    (campaign.folder / "samples.jsonl").write_text("".join(f"{line}\n" for line in broken), "utf-8")
    process = campaign.start()
    said = ended(process, 2)
    if f"line {number + 1}, is damaged; delete the line, and its sample is owed again" not in said:
        raise FaultError(f"not said: {said}")
    del broken[number]
    (campaign.folder / "samples.jsonl").write_text("".join(f"{line}\n" for line in broken), "utf-8")
    del campaign.kept[hurt["question_id"], hurt["sample"]]


def torn_line(campaign: Campaign) -> None:
    """Half a line more at the end, as after a power cut."""
    kill_parent(campaign)
    campaign.check()
    with (campaign.folder / "samples.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('{"question_id": "q0", "samp')
    ended(campaign.generating(), 0)


def second_run(campaign: Campaign) -> None:
    process = campaign.generating()
    if process.poll() is None:
        other = campaign.start()
        said = ended(other, 2)
        if other.returncode == 2 and "another process is writing to" not in said:
            raise FaultError(f"not said: {said}")
    ended(process, 0)


def vanished_folder(campaign: Campaign) -> None:
    """The folder is moved away under the run, and back."""
    process = campaign.generating()
    away = campaign.folder.with_name("away")
    campaign.folder.rename(away)
    said = ended(process)
    if process.returncode not in (0, 1, 2, 130):
        raise FaultError(f"status {process.returncode}: {said}")
    if campaign.folder.exists():  # what was written where the folder had been
        for path in sorted(campaign.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        campaign.folder.rmdir()
    away.rename(campaign.folder)


def jumping_clock(campaign: Campaign) -> None:
    (campaign.place / "jumpy").mkdir(exist_ok=True)
    (campaign.place / "jumpy" / "sitecustomize.py").write_text(JUMPY)
    ended(campaign.generating(PYTHONPATH=os.pathsep.join([str(campaign.place / "jumpy"), str(ROOT)])), 0)


def ascii_locale(campaign: Campaign) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    ended(campaign.generating(**ascii_only), 0)


def closed_stdout(campaign: Campaign) -> None:
    """Whoever read the output has gone before the table comes."""
    process = campaign.generating()
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    ended(process, 1)


FAULTS: dict[str, Callable[[Campaign], None]] = {
    "parent killed": kill_parent,
    "worker killed": lambda campaign: _signal_one(campaign, "spawn_main", signal.SIGKILL),
    "grader killed": lambda campaign: _signal_one(campaign, "pool.worker", signal.SIGKILL),
    "worker stopped": lambda campaign: _signal_one(campaign, "spawn_main", signal.SIGSTOP),
    "grader stopped": lambda campaign: _signal_one(campaign, "pool.worker", signal.SIGSTOP),
    "parent stopped and continued": pause_parent,
    "SIGINT or SIGTERM": interrupt,
    "disk full": full_disk,
    "line overwritten": corrupt_line,
    "line torn": torn_line,
    "second run on the folder": second_run,
    "folder moved away": vanished_folder,
    "clock jumps by years": jumping_clock,
    "ASCII locale": ascii_locale,
    "stdout closed": closed_stdout,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        campaign = Campaign(Path(name), random.Random(options.seed))
        for number in range(options.faults):
            if len(campaign.kept) > 0.8 * QUESTIONS * SAMPLES:
                campaign.finish()
            kinds = list(FAULTS)
            kind = kinds[number % len(kinds)] if number < len(kinds) else campaign.draw.choice(kinds)
            campaign.inject(kind)
            print(f"{kind}: {len(campaign.kept)} samples are there", file=sys.stderr, flush=True)
        campaign.finish()
    print(f"{options.faults} faults in {campaign.runs} runs, {time.monotonic() - begun:.0f} s: 0 samples lost, 0 twice")
    for kind, count in campaign.injected.items():
        print(f"  {count} x {kind}")


if __name__ == "__main__":
    main()

"""A campaign with the scripted engine: as a function for tests, and as a program that tests can kill.

python scripted_campaign.py DIRECTORY SCRIPT, the last as JSON
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from scripted_engine import Script
from scripted_run import plan, program, run_config

from evaluators.running.run import evaluate_until_settled

COUNT, MOST = 20, 12


def campaign(directory: Path, script: Script, smallest_effect: float | None = None, **execution: Any) -> int:
    """A base run and an SRGen run, in two folders of `directory`."""
    config = run_config(average=MOST, **execution)
    other = plan(directory / "srgen", COUNT, config, "srgen")
    base = dataclasses.replace(
        other, config=dataclasses.replace(config, srgen=None), directory=directory / "base", name="base"
    )
    return evaluate_until_settled(base, other, smallest_effect=smallest_effect, engine=script.engine)


def start(directory: Path, **script: Any) -> subprocess.Popen[str]:
    """The same with two workers, as a process of its own."""
    return program(Path(__file__), str(directory), json.dumps(script))


if __name__ == "__main__":
    sys.exit(campaign(Path(sys.argv[1]), Script(**json.loads(sys.argv[2])), workers=2, max_attempts=1000))

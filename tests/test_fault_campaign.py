"""The short form of scripts/fault_campaign.py: faults in one run, the same command after each. docs/reliability.md"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
if TYPE_CHECKING:
    from scripts.fault_campaign import FAULTS, Campaign, FaultError
else:
    from fault_campaign import FAULTS, Campaign, FaultError

SHORT = ("folder moved away", "line overwritten", "disk full", "stdout closed")
"""Those that no other test has; the script has all."""


def test_nothing_is_lost_or_twice_and_everything_is_said(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, random.Random(0))
    for kind in SHORT:
        campaign.inject(kind)
    campaign.finish()
    assert set(SHORT) <= set(FAULTS)


def test_the_campaign_sees_what_is_lost_and_what_is_twice(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, random.Random(0))
    campaign.folder.mkdir()
    journal = campaign.folder / "samples.jsonl"
    lines = [f'{{"question_id": "q{number}", "sample": 0}}\n' for number in range(3)]
    journal.write_text("".join(lines))
    campaign.check()
    journal.write_text("".join(lines[1:]))
    with pytest.raises(FaultError, match=r"lost or changed: \[\('q0', 0\)\]"):
        campaign.check()
    journal.write_text("".join([*lines, lines[0]]))
    with pytest.raises(FaultError, match="there twice"):
        campaign.check()

"""campaign.json: a run that a campaign samples until its comparison with another is settled."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluators.records.schema import CAMPAIGN_FILE
from srgen.errors import SRGenError


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a campaign, which looks at its two runs after every round, says of one of them."""

    rounds: int | None = None
    """Samples of each question that count: the run's K. Later ones are in the journal and in no number. None while the
    campaign goes on."""
    smallest_effect: float | None = None
    """In points: the campaign also stopped once the second run was known to be better by less."""


def stopped(directory: Path) -> Stopped | None:
    """What a campaign says of a run; None where no campaign looks at it. Raises SRGenError for a damaged file."""
    path = directory / CAMPAIGN_FILE
    if not path.is_file():
        return None
    try:
        found = Stopped(**json.loads(path.read_text("utf-8")))
        if found.rounds is not None and (not isinstance(found.rounds, int) or found.rounds < 1):
            raise ValueError(f"{found.rounds!r} rounds")
    except (TypeError, ValueError) as error:
        raise SRGenError(f"{path} is damaged: {error}") from None
    return found


def text_of(mark: Stopped) -> str:
    """The file's text."""
    return json.dumps(asdict(mark)) + "\n"

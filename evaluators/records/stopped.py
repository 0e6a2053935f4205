"""campaign.json: a run whose sampling stopped because its comparison with another was settled."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluators.records.schema import CAMPAIGN_FILE
from srgen.errors import SRGenError


@dataclass(frozen=True, slots=True)
class Stopped:
    """How far a campaign came that looked at its two runs after every round."""

    rounds: int
    """Samples of each question that count: the run's K. Later ones are in the journal and in no number."""
    smallest_effect: float | None = None
    """In points: the campaign also stopped once the second run was known to be better by less."""


def stopped(directory: Path) -> Stopped | None:
    """Where a run stopped; None for one that is sampled to its planned K. Raises SRGenError for a damaged file."""
    path = directory / CAMPAIGN_FILE
    if not path.is_file():
        return None
    try:
        found = Stopped(**json.loads(path.read_text("utf-8")))
        if not isinstance(found.rounds, int) or found.rounds < 1:
            raise ValueError(f"{found.rounds!r} rounds")
    except (TypeError, ValueError) as error:
        raise SRGenError(f"{path} is damaged: {error}") from None
    return found


def text_of(mark: Stopped) -> str:
    """The file's text."""
    return json.dumps(asdict(mark)) + "\n"

"""Rows that triggered and wait for each other, so that several reflect in one pass over W.

A sample's tokens do not depend on when they are computed: its noise is its own, and its context and its keys and values
stay as they are. A row that waits leaves the passes, and its place goes to the next request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from srgen.engines.transformers.passes import Passes
from srgen.engines.transformers.token_choice import Drawn, Row

ENOUGH = 8
"""Rows that wait for no others any more."""


@dataclass(frozen=True, slots=True)
class _Parked:
    drawn: Drawn
    """The row's step."""
    state: Any
    """What the passes kept of it."""
    until: int
    """The step at which it has waited long enough."""


class Parking:
    """Up to `ENOUGH` rows and those that triggered with the last of them; none where `steps` is 0."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._now = 0
        self._parked: list[_Parked] = []

    def __len__(self) -> int:
        return len(self._parked)

    @property
    def open(self) -> bool:
        """Whether rows wait at all."""
        return self._steps > 0

    @property
    def rows(self) -> list[Row]:
        """Those that wait."""
        return [row for parked in self._parked for row in parked.drawn.rows]

    def free(self, decoding: int, batch_size: int) -> int:
        """Requests that may enter a batch of which so many rows are decoded. Beside it, `ENOUGH` may wait at most."""
        return min(batch_size - decoding, batch_size + ENOUGH - decoding - len(self))

    def park(self, drawn: Drawn, state: Any) -> None:
        """Let a row wait: its step, and what the passes kept of it."""
        self._parked.append(_Parked(drawn, state, self._now + self._steps))

    def due(self, decoding: int) -> bool:
        """Whether the rows that wait shall reflect, asked once a step while so many others are decoded."""
        self._now += 1
        waited = bool(self._parked) and self._now > self._parked[0].until
        return waited or len(self) >= ENOUGH or not decoding

    def leave(self, passes: Passes) -> list[Drawn]:
        """All rows go back to the passes, in order; their steps."""
        for parked in self._parked:
            passes.put(parked.state)
        steps = [parked.drawn for parked in self._parked]
        self._parked = []
        return steps

    def drop(self, request_id: str) -> Row | None:
        """End the row of a request, if it waits."""
        for index, row in enumerate(self.rows):
            if row.request.id == request_id:
                del self._parked[index]
                return row
        return None

    def clear(self) -> None:
        """End every row."""
        self._parked = []

"""Two runs sampled in rounds, round k being sample k of every question in both, until their comparison is settled.

Only complete rounds count: of an incomplete one the short answers are there first. The decision is a function of the
samples alone, so a campaign that was killed ends at the round at which it would have ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from evaluators.records.reading import read_run, write_atomically
from evaluators.records.schema import CAMPAIGN_FILE, SUMMARY_CSV, Sample
from evaluators.records.stopped import Stopped, stopped, text_of
from evaluators.running.plan import RunPlan

if TYPE_CHECKING:
    from evaluators.analysis.sequential import Decision

_OPEN, _RIGHT, _WRONG = -2, 0, 1
"""Of a sample: not there yet; solved; anything else."""


class Campaign:
    """What the samples of two runs say so far."""

    def __init__(self, base: RunPlan, other: RunPlan, smallest_effect: float | None = None) -> None:
        """`smallest_effect`, in points: stop as well once `other` is known to be better by less."""
        self._plans = base, other
        self._smallest_effect = smallest_effect
        self._row = {question.id: row for row, question in enumerate(base.questions)}
        self._outcomes = np.full((2, len(self._row), base.config.average), _OPEN)
        self._whole: set[int] = set()
        self._rounds = 0
        self.decision: Decision | None = None
        """Of the complete rounds; None before the first."""

    @property
    def settled(self) -> bool:
        """Whether no more samples are needed."""
        return self.decision is not None and self.decision.outcome != "open"

    def opened(self, plan: RunPlan, *, complete: bool) -> None:
        """Take up the samples that a run's folder holds, and mark it as looked at unless it needs no campaign."""
        arm = self._arm(plan)
        if complete and stopped(plan.directory) is None:
            self._whole.add(arm)
        else:
            self._mark(plan, None)
        self._take(arm, read_run(plan.directory).samples.values())

    def written(self, plan: RunPlan, samples: Iterable[Sample]) -> None:
        """Take up samples that have been graded."""
        self._take(self._arm(plan), samples)

    def conclude(self) -> None:
        """Write the rounds that count into the runs' folders, if the campaign has come to its end.

        A run that was complete before the campaign stays one of K samples.
        """
        most = self._outcomes.shape[2]
        if self.decision is None or not (self.settled or self._rounds == most):
            return
        for arm, plan in enumerate(self._plans):
            self._mark(plan, most if arm in self._whole else self.decision.rounds)

    def _mark(self, plan: RunPlan, rounds: int | None) -> None:
        (plan.directory / SUMMARY_CSV).unlink(missing_ok=True)  # made of another number of samples
        mark = Stopped(rounds=rounds, smallest_effect=self._smallest_effect)
        write_atomically(plan.directory / CAMPAIGN_FILE, text_of(mark))

    def _arm(self, plan: RunPlan) -> int:
        return next(arm for arm, known in enumerate(self._plans) if known is plan)

    def _take(self, arm: int, samples: Iterable[Sample]) -> None:
        for sample in samples:
            self._outcomes[arm, self._row[sample.question_id], sample.sample] = _RIGHT if sample.correct else _WRONG
        whole = (self._outcomes != _OPEN).all(axis=(0, 1))
        rounds = int(np.argmin(whole)) if not whole.all() else len(whole)
        if rounds > self._rounds:
            self._rounds = rounds
            self.decision = self._decide(rounds)

    def _decide(self, rounds: int) -> Decision:
        from evaluators.analysis.sequential import decide  # statistics take seconds to import; a worker does without

        base, other = self._outcomes[:, :, :rounds]
        return decide(base, other, None if self._smallest_effect is None else self._smallest_effect / 100)

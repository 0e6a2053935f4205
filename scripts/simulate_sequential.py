"""Campaigns that stop when they are settled, simulated: the table of docs/statistics.md.

    python scripts/simulate_sequential.py [--campaigns 2000] [--rounds 64] [--seed 1]

Each question has its own chance to be solved by the base run, spread evenly from 15 to 85 %, and the method adds its
effect. `none` is the same effect on every question; `cancel` adds 15 points on half of them and takes 15 from the other
half besides. Beside the sequential test stand tests made once, after the last round: McNemar's over all pairs of
samples, whose claim is the same (these questions), and the sign flips of `compare`, which take questions as the unit;
and what a plain z test finds that is made after every round.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluators.analysis.sequential import THRESHOLD, log_e
from evaluators.analysis.sign_flips import sign_flip_tails, two_sided

Counts = NDArray[np.int64]

QUESTIONS, EFFECTS, ROUNDS = (30, 198), (0.0, 0.03, 0.05, 0.12), 64
SWING = 0.15


@dataclass(frozen=True)
class Campaigns:
    """Simulated campaigns of one setting."""

    questions: int
    effect: float
    cancelling: bool
    won: Counts
    """Pairs of samples that only the method solved, up to each round [campaigns, rounds]."""
    lost: Counts
    differences: NDArray[np.float64]
    """Of the questions after the last round [campaigns, questions]."""

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """Which campaigns settled."""
        return np.asarray(self._crossed.any(axis=1))

    @property
    def rounds(self) -> Counts:
        """Rounds until each settled, or all of them."""
        return np.where(self.stopped, self._crossed.argmax(axis=1) + 1, self.won.shape[1])

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Which campaigns settled on the side where the truth is not; without an effect, all that settled."""
        at = np.arange(len(self.won)), self.rounds - 1
        return np.asarray(self.stopped & ((self.effect == 0) | (self.won[at] < self.lost[at])))

    @property
    def peeking(self) -> NDArray[np.bool_]:
        """Which a plain z test would call settled after some round: what happens without a sequential test."""
        z = np.abs(self.won - self.lost) / np.sqrt(np.maximum(1, self.won + self.lost))
        return np.asarray((z > stats.norm.ppf(0.975)).any(axis=1))

    @property
    def mcnemar(self) -> NDArray[np.bool_]:
        """Which the exact McNemar test finds after the last round."""
        won, pairs = self.won[:, -1], self.won[:, -1] + self.lost[:, -1]
        return np.asarray(2 * stats.binom.cdf(np.minimum(won, pairs - won), pairs, 0.5) <= 0.05)

    @property
    def sign_flips(self) -> NDArray[np.bool_]:
        """Which the sign flips of the questions' differences find after the last round."""
        return np.asarray(two_sided(sign_flip_tails(self.differences)) <= 0.05)

    @property
    def _crossed(self) -> NDArray[np.bool_]:
        return np.asarray(log_e(self.won, self.lost) >= math.log(THRESHOLD))


def simulate(campaigns: int, seed: int = 1, *, rounds: int = ROUNDS) -> Iterator[Campaigns]:
    """Every setting."""
    rng = np.random.default_rng(seed)
    for questions in QUESTIONS:
        for cancelling in (False, True):
            for effect in EFFECTS:
                yield _campaigns(rng, campaigns, rounds, questions, effect, cancelling=cancelling)


def _campaigns(
    rng: np.random.Generator, campaigns: int, rounds: int, questions: int, effect: float, *, cancelling: bool
) -> Campaigns:
    won, lost = np.zeros((2, campaigns, rounds), np.int64)
    differences = np.zeros((campaigns, questions))
    swings = np.where(np.arange(questions) % 2, SWING, -SWING) * cancelling
    for question, (chance, swing) in enumerate(zip(np.linspace(0.15, 0.85, questions), swings, strict=True)):
        base, other = rng.random((2, campaigns, rounds), np.float32)
        gain = effect + swing
        first, second = base < chance - gain / 2, other < chance + gain / 2
        won += second & ~first
        lost += first & ~second
        differences[:, question] = second.mean(axis=1) - first.mean(axis=1)
    return Campaigns(questions, effect, cancelling, won.cumsum(axis=1), lost.cumsum(axis=1), differences)


def line(found: Campaigns) -> str:
    """A row of the table."""
    rates = (found.stopped, found.wrong, found.mcnemar, found.sign_flips, found.peeking)
    settled, wrong, mcnemar, flips, peeking = (f"{100 * rate.mean():.1f}" for rate in rates)
    return (
        f"{found.questions:9d} {100 * found.effect:7.0f}  {'cancel' if found.cancelling else 'none':7} "
        f"{settled:>9} {wrong:>7} {found.rounds.mean():>8.1f} {mcnemar:>9} {flips:>12} {peeking:>15}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("questions  points  besides  settled %  wrong %  rounds  McNemar %  sign flips %  z every round %")
    for found in simulate(options.campaigns, options.seed, rounds=options.rounds):
        print(line(found), flush=True)


if __name__ == "__main__":
    main()

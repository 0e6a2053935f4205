"""The reward of PASR (arXiv 2508.12903, section 3): format, accuracy, and what refining was worth."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.grading.answer.tags import parse


@dataclass(frozen=True, slots=True)
class Reward:
    """The three parts of a response's reward; they are added up."""

    format: float
    """+1 for a well-formed response, -1 for any other."""
    accuracy: float
    """1 for a right answer, 0 for a wrong one or none."""
    refine: float
    """+1, -1 or -0.5 for refining that went better, worse or no different than plain answers; 0 for none."""

    @property
    def total(self) -> float:
        """What GRPO maximizes."""
        return self.format + self.accuracy + self.refine


def reward_of(response: str, correct: bool, baseline: float, zeta: float = 0.0) -> Reward:
    """The reward of a response, whose answer is `correct` or not; `baseline` and `zeta` as in `refine_reward`."""
    return Reward(format_reward(response), float(correct), refine_reward(response, correct, baseline, zeta))


def format_reward(response: str) -> float:
    """+1 for one thinking, then one answer, nothing outside, refine passages balanced and within the thinking."""
    return 1.0 if parse(response).well_formed else -1.0


def refine_reward(response: str, correct: bool, baseline: float, zeta: float = 0.0) -> float:
    """Compare a response that refines with `baseline`, the mean accuracy of plain answers from 0 to 1.

    +1 where it is better by more than zeta, -1 where it is worse by more, else -0.5. A response without a refine
    passage, or with unbalanced ones, has nothing to compare: it gets 0, as in the released code.
    """
    tagged = parse(response)
    if not (tagged.refines and tagged.refines_balanced):
        return 0.0
    gain = float(correct) - baseline
    if abs(gain) <= zeta:
        return -0.5
    return 1.0 if gain > 0 else -1.0

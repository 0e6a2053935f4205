"""Whether the source held the same answers for right as the benchmark does."""

from __future__ import annotations

from concurrent.futures import Future

from evaluators.benchmarks.benchmark import Question
from evaluators.exchange.generation import Generation
from evaluators.grading import GradingPool, Verdict


class GoldCheck:
    """Compares each question's reference answer once, as a response would be graded."""

    def __init__(self, pool: GradingPool) -> None:
        self._pool = pool
        self._asked: dict[str, tuple[Question, str, Future[Verdict] | None]] = {}

    def see(self, generation: Generation, question: Question) -> None:
        """Take note of the source's reference answer."""
        if generation.gold is None or question.id in self._asked:
            return
        # GSM8K's sources give the whole solution, whose answer follows the marks.
        gold = generation.gold.rsplit("####", 1)[-1].strip()
        future = (
            None
            if gold == question.gold
            else self._pool.submit(_as_response(gold, question), question.gold, question.kind)
        )
        self._asked[question.id] = (question, gold, future)

    def differing(self) -> list[str]:
        """One sentence for each question whose answers differ."""
        return [
            f"{question.id}: the source's answer is {gold}, the benchmark's {question.gold}"
            for question, gold, future in self._asked.values()
            if future is not None and future.result().status != "correct"
        ]


def _as_response(gold: str, question: Question) -> str:
    return f"Answer: {gold}" if question.kind == "choice" else f"\\boxed{{{gold}}}"

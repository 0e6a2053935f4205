"""CPU seconds of every chooser and stopping rule on as many samples as GSM8K with 64 samples a question has.

python scripts/bench_choosers.py [--questions 1319] [--samples 64]
"""

from __future__ import annotations

import argparse
import time
from typing import cast

import numpy as np

from evaluators.analysis.choices import choices
from evaluators.records.schema import Sample
from evaluators.records.signals import Rows, Signals

SUMMARIES = ("log_p", "all_log_p", "margin", "confidence", "tail", "low", "lowest")


class Drawn:
    """Signals of no run: every token is as sure as the others."""

    def of(self, sample: Sample) -> Rows:
        return np.full((sample.generated_tokens, 4), -5, np.float16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=1319)
    parser.add_argument("--samples", type=int, default=64)
    options = parser.parse_args()
    rng = np.random.default_rng(3)
    shape = options.questions, options.samples
    right = rng.random(shape) < rng.beta(1, 1, size=(options.questions, 1))
    classes = np.where(right, 0, rng.geometric(0.2, size=shape))
    table = [[drawn(rng, str(q), k) for k in range(options.samples)] for q in range(options.questions)]
    for title, signals in (("from the journal", None), ("online DeepConf too", cast(Signals, Drawn()))):
        began = time.process_time()
        choices(table, classes, signals)
        print(f"{title}: {time.process_time() - began:.1f} CPU seconds", flush=True)


def drawn(rng: np.random.Generator, question: str, index: int) -> Sample:
    return Sample(
        question_id=question,
        sample=index,
        seed=index,
        prompt_tokens=20,
        response="",
        answer="1",
        status="correct",
        correct=True,
        generated_tokens=int(rng.lognormal(6, 0.4)),
        finish_reason="stop",
        reflections=0,
        seconds=1.0,
        worker="cpu:0",
        confidence=dict(zip(SUMMARIES, (rng.normal(size=7) - 5).tolist(), strict=True)),
    )


if __name__ == "__main__":
    main()

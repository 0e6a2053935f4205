"""Runs on disk as the harness writes them, with outcomes drawn from a stated seed: no model is asked."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from evaluators.benchmarks.data_config import DataConfig
from evaluators.records.schema import Sample
from evaluators.settings.run_config import ModelConfig, RunConfig
from srgen.config import Sampling, SRGenConfig


def first_words(answers: Sequence[str | None], kind: str) -> list[int]:
    """A stand-in for the symbolic checker: answers are equivalent when they are equal up to case."""
    known: dict[str, int] = {}
    return [-1 if answer is None else known.setdefault(answer.lower(), len(known)) for answer in answers]


def sample(question_id: str, index: int, answer: str | None, gold: str, **changes: Any) -> Sample:
    """A graded sample whose status follows from its answer."""
    status = "no_answer" if answer is None else "correct" if answer == gold else "incorrect"
    values: dict[str, Any] = {
        "question_id": question_id,
        "sample": index,
        "seed": index,
        "prompt_tokens": 20,
        "response": f"Let us see. The answer is \\boxed{{{answer}}}." if answer else "I do not know.",
        "answer": answer,
        "status": status,
        "correct": status == "correct",
        "generated_tokens": 100,
        "finish_reason": "stop",
        "reflections": 0,
        "seconds": 1.5,
        "worker": "cpu:0",
    }
    return Sample(**{**values, **changes})


def write_run(
    directory: Path,
    samples: Sequence[Sample],
    golds: Mapping[str, str],
    *,
    k: int,
    srgen: bool = False,
    wall_seconds: float = 120.0,
    grading_version: str = "1",
    questions_hash: str = "abc",
    benchmark: str = "aime",
    temperature: float = 0.6,
) -> Path:
    """Write what the running part leaves behind, without the two CSV files."""
    directory.mkdir(parents=True, exist_ok=True)
    config = RunConfig(
        model=ModelConfig(model_path="models/tiny-1B"),
        data=DataConfig(benchmark=benchmark, version="2024"),
        sampling=Sampling(temperature=temperature),
        srgen=SRGenConfig() if srgen else None,
        average=k,
    )
    run = json.loads(json.dumps(dataclasses.asdict(config)))
    (directory / "config.yaml").write_text(
        yaml.safe_dump({"run": run, "questions_hash": questions_hash, "grading_version": grading_version})
    )
    (directory / "timing.json").write_text(json.dumps({"wall_seconds": wall_seconds, "sessions": 1}))
    questions = [
        {"id": key, "prompt": f"What is {gold} + 0?", "gold": gold, "kind": "integer", "metadata": {}}
        for key, gold in golds.items()
    ]
    (directory / "questions.jsonl").write_text(lines(questions))
    (directory / "samples.jsonl").write_text(lines([dataclasses.asdict(item) for item in samples]))
    return directory


def lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def drawn_run(
    directory: Path, *, questions: int, k: int, shift: float = 0.0, srgen: bool = False, seed: int = 0, **options: Any
) -> Path:
    """A run whose questions have their own difficulty (the same for every seed), `shift` added to the accuracy."""
    difficulty = np.random.default_rng(99).beta(0.7, 0.7, size=questions)
    rng = np.random.default_rng(seed)
    golds = {f"{options.get('benchmark', 'aime')}-{q}": str(10 + q) for q in range(questions)}
    samples, reflections, recordings = [], [], []
    for (key, gold), chance in zip(golds.items(), difficulty, strict=True):
        for index in range(k):
            fate = rng.random()
            right = fate < min(1, max(0, chance + shift))
            answer = gold if right else None if fate > 0.97 else str(rng.integers(1, 6))
            count = int(rng.poisson(2)) if srgen else 0
            tokens = int(rng.lognormal(5.5 if right else 6, 0.4))
            samples.append(
                sample(key, index, answer, gold, reflections=count, generated_tokens=tokens, worker=f"cpu:{index % 2}")
            )
            words = samples[-1].response.split(" ")
            entropies = [None, *(float(x) for x in rng.gamma(1, 0.8, size=len(words) - 1))]
            recordings.append(
                {"question_id": key, "sample": index, "tokens": [w + " " for w in words], "entropies": entropies}
            )
            for _ in range(count):
                before = float(2 + rng.gamma(2, 0.5))
                reflections.append(
                    {
                        "question_id": key,
                        "sample": index,
                        "position": int(rng.integers(1, len(words))),
                        "entropy_before": before,
                        "entropy_after": before * float(rng.uniform(0.5, 1.02)),
                        "threshold": 1.8,
                        "losses": [2.5, 2.4, 2.3],
                        "delta_norm": math.sqrt(before),
                        "token_before": " so",
                        "token_after": " thus",
                        "probabilities_before": [0.4, 0.25],
                        "probabilities_after": [0.2, 0.5],
                    }
                )
    write_run(directory, samples, golds, k=k, srgen=srgen, **options)
    (directory / "entropies.jsonl").write_text(lines(recordings))
    if srgen:
        (directory / "reflections.jsonl").write_text(lines(reflections))
    return directory

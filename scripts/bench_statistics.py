"""Time and size of the statistics and of the report on as many samples as GSM8K with 64 samples a question has.

    python scripts/bench_statistics.py [--questions 1319] [--samples 64]

Prints CPU and wall seconds of the metrics with their summary, of the comparison, and of the report, with its size.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from evaluators.analysis import metrics
from evaluators.analysis.summary import summarise
from evaluators.benchmarks.data_config import DataConfig
from evaluators.compare import main as compare
from evaluators.report import main as report
from evaluators.settings.run_config import ModelConfig, RunConfig
from srgen.config import Sampling, SRGenConfig

SENTENCE = "Then the number of apples is 12 + 30 = 42, so that each of the 7 children gets 6 of them. "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=1319)
    parser.add_argument("--samples", type=int, default=64)
    options = parser.parse_args()
    rng = np.random.default_rng(3)
    wrong = rng.geometric(0.2, size=(options.questions, options.samples))
    right = rng.random(wrong.shape) < rng.beta(1, 1, size=(options.questions, 1))
    classes = np.where(right, 0, wrong)
    with timed("metrics: Avg@K, and Cons@k and Pass@k for every k"):
        metrics.accuracies(classes)
        metrics.cons_curve(classes)
        metrics.pass_curve(classes)
    with tempfile.TemporaryDirectory() as folder:
        base, srgen = Path(folder, "base"), Path(folder, "srgen")
        for directory, seed in ((base, 0), (srgen, 1)):
            write_run(directory, options.questions, options.samples, seed)
            with timed(f"reading and summarising {directory.name}"):
                summarise(directory, lambda answers, kind: list(range(len(answers))))
        with timed("compare"), contextlib.redirect_stdout(io.StringIO()):
            assert compare([str(base), str(srgen), "--output_dir", folder]) == 0
        with timed("report"), contextlib.redirect_stdout(io.StringIO()):
            assert report([str(base), str(srgen), "-o", f"{folder}/report.html"]) == 0
        print(f"report.html: {Path(folder, 'report.html').stat().st_size / 1e6:.1f} MB")


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - wall:.2f} s, {time.process_time() - cpu:.2f} CPU s", flush=True)


def write_run(directory: Path, questions: int, samples: int, seed: int) -> None:
    """A run of drawn answers, about a kilobyte of text each."""
    directory.mkdir()
    rng = np.random.default_rng(seed)
    config = RunConfig(
        model=ModelConfig(model_path="synthetic"),
        data=DataConfig(benchmark="gsm8k"),
        sampling=Sampling(),
        srgen=SRGenConfig() if seed else None,
        average=samples,
    )
    run = json.loads(json.dumps(dataclasses.asdict(config)))
    files = {"run": run, "questions_hash": "same", "grading_version": "1"}
    (directory / "config.yaml").write_text(yaml.safe_dump(files))
    difficulty = np.random.default_rng(2).beta(1, 1, questions)
    with (directory / "questions.jsonl").open("w") as file:
        for q in range(questions):
            row = {"id": f"q{q}", "prompt": f"How many apples? ({q})", "gold": "0", "kind": "numeric", "metadata": {}}
            file.write(json.dumps(row) + "\n")
    with (directory / "samples.jsonl").open("w") as file:
        for q in range(questions):
            wrong = rng.geometric(0.2, size=samples)
            right = rng.random(samples) < difficulty[q]
            for index in range(samples):
                answer = "0" if right[index] else str(wrong[index])
                file.write(json.dumps(sample_row(q, index, answer, right=bool(right[index]))) + "\n")


def sample_row(question: int, index: int, answer: str, *, right: bool) -> dict[str, object]:
    return {
        "question_id": f"q{question}",
        "sample": index,
        "seed": index,
        "prompt_tokens": 60,
        "response": SENTENCE * 11 + f"The answer is \\boxed{{{answer}}}.",
        "answer": answer,
        "status": "correct" if right else "incorrect",
        "correct": right,
        "generated_tokens": 300,
        "finish_reason": "stop",
        "reflections": 1,
        "seconds": 2.0,
        "worker": "cuda:0",
        "error": None,
    }


if __name__ == "__main__":
    main()

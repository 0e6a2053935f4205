"""Seconds and memory of importing many samples: a plain table with a row of about a kilobyte per response.

    python scripts/bench_importing.py [--questions 1000] [--samples 100] [--grading_workers 1]

The import is a program of its own; CPU seconds are its own and its grading processes', memory is the most that any one
of these processes held.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SENTENCES = (
    "First we look at what is given: there are {} boxes, and each of them holds {} apples.",
    "So the number of apples is {} \\cdot {}, which is more than we need.",
    "Then {} of the children take {} apples each and leave the rest on the table.",
    "We subtract: $\\frac{{{}}}{{{}}}$ of the apples are gone, and the others are divided evenly.",
    "Let us check this again, because {} + {} must not be more than the total.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=100, help="responses to each question")
    parser.add_argument("--grading_workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        questions, responses = Path(folder, "questions.jsonl"), Path(folder, "responses.jsonl")
        write_questions(questions, options.questions)
        write_responses(responses, options.questions, options.samples)
        print(f"{options.questions * options.samples:,} responses, {responses.stat().st_size / 1e6:.0f} MB")
        command = [sys.executable, "-m", "evaluators.importing", str(responses), "--model", "m", "--benchmark", "gsm8k"]
        command += ["--dataset_path", str(questions), "--output_dir", folder]
        began = time.perf_counter()
        subprocess.run([*command, "--grading_workers", str(options.grading_workers)], check=True, capture_output=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"{time.perf_counter() - began:.1f} s, {used.ru_utime + used.ru_stime:.1f} CPU s, "
            f"{used.ru_maxrss / 2**10:.0f} MiB at most in one process"
        )


def write_questions(path: Path, count: int) -> None:
    with path.open("w") as file:
        for number in range(count):
            row = {
                "id": f"q{number}",
                "problem": f"How many apples are left in orchard {number}?",
                "answer": str(number),
            }
            file.write(json.dumps(row) + "\n")


def write_responses(path: Path, questions: int, samples: int) -> None:
    """A third of them wrong; one in fifty says nothing, one in ten gives its answer as a formula."""
    draw = random.Random(1)
    with path.open("w") as file:
        for question in range(questions):
            for sample in range(samples):
                answer = question if draw.random() < 2 / 3 else draw.randrange(2000)
                words = [draw.choice(SENTENCES).format(draw.randrange(99), draw.randrange(1, 99)) for _ in range(12)]
                words.append(conclusion(answer, draw.random()))
                row = {"id": f"q{question}", "sample": sample, "response": " ".join(words), "tokens": 300}
                file.write(json.dumps(row | {"correct": answer == question}) + "\n")


def conclusion(answer: int, kind: float) -> str:
    if kind < 0.02:
        return "I do not know."
    return f"The answer is \\boxed{{{answer - 1} + 1}}." if kind < 0.12 else f"The answer is \\boxed{{{answer}}}."


if __name__ == "__main__":
    main()

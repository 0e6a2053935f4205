"""Sixteen prompts of different lengths and the settings of the golden traces."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from srgen import Message, Request, Sampling, SRGenConfig

ROOT = Path(__file__).resolve().parents[2]
TRACES = ROOT.parent / "shared" / "traces"
METHOD_FIELDS = {field.name for field in dataclasses.fields(SRGenConfig)}
DENSE = SRGenConfig(adaptive_entropy_K=2.0, minimal_std=0.1, minimal_threshold=1.0)
PAPER = SRGenConfig()


def requests(max_new_tokens: int = 256) -> list[Request]:
    """The golden traces' prompts and settings where they lie beside the checkout, else problems of `mini`."""
    if TRACES.is_dir():
        rows = [json.loads(line) for file in sorted(TRACES.glob("*.jsonl")) for line in file.read_text().splitlines()]
        found = [
            (
                tuple(row["prompt_ids"]),
                SRGenConfig(**{name: value for name, value in row["params"].items() if name in METHOD_FIELDS}),
            )
            for row in rows
        ]
    else:
        lines = (ROOT / "evaluators" / "benchmarks" / "data" / "mini.jsonl").read_text().splitlines()
        problems = [json.loads(line)["problem"] for line in lines]
        # From two to seventeen problems in a prompt.
        found = [
            ((Message("user", " ".join(problems[:count]) + " Explain each step."),), PAPER if count % 3 else DENSE)
            for count in range(2, 18)
        ]
    return [
        Request(
            id=str(index),
            prompt=prompt,
            sampling=Sampling(do_sample=False, max_new_tokens=max_new_tokens),
            seed=index,
            srgen=config,
            record_entropy=True,
        )
        for index, (prompt, config) in enumerate(found)
    ]

"""One small task for every tool, and what the engine itself answers."""

from __future__ import annotations

import json
from pathlib import Path

from srgen.config import Sampling, SRGenConfig
from srgen.engines import EngineConfig, load_engine
from srgen.engines.base import Completion, Message, Request

SYSTEM = "Solve the problem step by step."
TOKENS = 40
PROBLEMS = [
    {"id": "g-0", "problem": "Ann has 3 apples and buys 4 more. How many has she?", "answer": "7"},
    {"id": "g-1", "problem": "A train has 5 cars with 6 seats each. How many seats are there?", "answer": "30"},
    {"id": "g-2", "problem": "Of 20 birds half fly away. How many stay on the roof?", "answer": "10"},
]


def engine_tokens(srgen: SRGenConfig | None, said: list[str] | None = None) -> list[Completion]:
    """Greedy completions of the problems, in their order; `said` are a user's words without a system's before them."""
    engine = load_engine(EngineConfig(model_path="demo", device="cpu", dtype="float32"))
    requests = [
        Request(
            id=row["id"],
            prompt=(Message("user", text),) if said else (Message("system", SYSTEM), Message("user", text)),
            sampling=Sampling(do_sample=False, max_new_tokens=TOKENS),
            seed=1,
            srgen=srgen,
        )
        for row, text in zip(PROBLEMS, said or [row["problem"] for row in PROBLEMS], strict=True)
    ]
    done = {completion.id: completion for completion in engine.generate(requests)}
    engine.close()
    return [done[row["id"]] for row in PROBLEMS]


def lm_eval_task(folder: Path) -> Path:
    """A folder with the task `srgen_local` of lm-eval."""
    data = folder / "problems.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    (folder / "srgen_local.yaml").write_text(
        f"""task: srgen_local
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
doc_to_text: "{{{{problem}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: []
  do_sample: false
  max_gen_toks: {TOKENS}
metric_list:
  - metric: exact_match
metadata:
  version: 1
"""
    )
    return folder

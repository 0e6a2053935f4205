"""lighteval's task file of the same small task: `--custom-tasks` this file; the questions lie where SRGEN_TASK says."""

from __future__ import annotations

import os
from typing import Any

from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc
from tasks import SYSTEM, TOKENS


def document(line: dict[str, Any], task_name: str) -> Doc:
    return Doc(task_name=task_name, query=line["problem"], choices=[line["answer"]], gold_index=0, instruction=SYSTEM)


TASKS_TABLE = [
    LightevalTaskConfig(
        name="srgen_local",
        prompt_function=document,
        hf_repo=os.environ["SRGEN_TASK"],
        hf_subset="default",
        hf_avail_splits=["test"],
        evaluation_splits=["test"],
        metrics=[Metrics.exact_match],
        generation_size=TOKENS,
        stop_sequence=[],
    )
]

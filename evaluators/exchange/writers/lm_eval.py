"""lm-eval's results_<date>.json and samples_<task>_<date>.jsonl (lm_eval.result_schema of 0.4.13)."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from evaluators.analysis.summary_rows import Summary
from evaluators.analysis.wordings import gold_text, text_of
from evaluators.benchmarks.benchmark import Question
from evaluators.exchange.generation import own_fields
from evaluators.exchange.writers.samples import asked, model_path, written_at
from evaluators.records.reading import Run
from evaluators.records.schema import Sample

METRIC = "exact_match"
FILTER = "srgen"


def write(run: Run, summary: Summary, folder: Path) -> list[Path]:
    """Write both files into a folder."""
    date = written_at(run).replace(tzinfo=None).isoformat().replace(":", "-")
    results = folder / f"results_{date}.json"
    samples = folder / f"samples_{run.benchmark}_{date}.jsonl"
    rows = [_row(number, question, kept) for number, (question, kept) in enumerate(asked(run))]
    with samples.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    results.write_text(json.dumps(_results(run, summary, rows), indent=2), "utf-8")
    return [results, samples]


def _row(number: int, question: Question, samples: list[Sample]) -> dict[str, Any]:
    gold = gold_text(question)
    answers = [text_of(question, sample.sample, sample.answer) or "" for sample in samples]
    document = {"id": question.id, "question": question.prompt, "answer": gold}
    share = sum(sample.correct for sample in samples) / len(samples) if samples else 0.0
    return {
        "doc_id": number,
        # lm-eval's schema has no place for a response's own verdict, tokens or reflections.
        "doc": {**document, "srgen_samples": [_own(sample) for sample in samples]},
        "target": gold,
        "arguments": {"gen_args_0": {"arg_0": question.prompt, "arg_1": {}}},
        "resps": [[sample.response for sample in samples]],
        "filtered_resps": answers,
        "filter": FILTER,
        "metrics": [METRIC],
        "doc_hash": _hash(json.dumps(document, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(question.prompt),
        "target_hash": _hash(gold),
        METRIC: share,
    }


def _own(sample: Sample) -> dict[str, Any]:
    own = {
        "sample": sample.sample,
        "prompt_tokens": sample.prompt_tokens,
        "tokens": sample.generated_tokens,
        "finish_reason": sample.finish_reason,
        "reflections": sample.reflections,
        "seconds": sample.seconds,
        "seed": sample.seed,
        "worker": sample.worker,
        **own_fields(sample.to_json()),
    }
    return own | ({"error": sample.error or "failed"} if sample.status == "failed" else {"correct": sample.correct})


def _results(run: Run, summary: Summary, rows: list[dict[str, Any]]) -> dict[str, Any]:
    task = run.benchmark
    error = summary.se_new_questions / 100
    return {
        "results": {
            task: {
                "name": task,
                "alias": task,
                "sample_len": summary.questions,
                f"{METRIC},{FILTER}": summary.avg / 100,
                f"{METRIC}_stderr,{FILTER}": "N/A" if math.isnan(error) else error,
            }
        },
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "output_type": "generate_until", "repeats": summary.k}},
        "versions": {task: "srgen"},
        "n-shot": {task: 0},
        "higher_is_better": {task: {METRIC: True}},
        "n-samples": {task: {"original": summary.questions, "effective": summary.questions}},
        "config": {"model": "srgen", "model_args": {"pretrained": model_path(run), "method": run.method}},
        "git_hash": run.config.get("git_commit"),
        "date": written_at(run).timestamp(),
        "model_source": "srgen",
        "model_name": model_path(run),
        "model_name_sanitized": model_path(run).replace("/", "__"),
        "system_instruction": run.config["run"]["data"].get("system_prompt"),
        "task_hashes": {task: _hash("".join(r["doc_hash"] + r["prompt_hash"] + r["target_hash"] for r in rows))},
        "total_evaluation_time_seconds": str(run.wall_seconds),
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()

"""Inspect's `.eval`, log version 2: a zip archive with header.json, summaries.json and a file per sample and epoch.

Fields and their meaning: inspect_ai.log.EvalLog, EvalSample and EvalSampleSummary of inspect_ai 0.3.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from evaluators.analysis.summary_rows import Summary
from evaluators.benchmarks.benchmark import Question
from evaluators.exchange.generation import own_fields
from evaluators.exchange.writers.samples import asked, kept_settings, model_path, versions, written_at
from evaluators.records.reading import Run
from evaluators.records.schema import Sample

VERSION = 2
SCORER = "srgen"
_STOP_REASONS = {"stop": "stop", "length": "max_tokens", "error": "unknown"}


def write(run: Run, summary: Summary, path: Path) -> list[Path]:
    """Write the run as one log."""
    summaries = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for sample in _samples(run):
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", _json(sample))
            summaries.append(_summary(sample))
        archive.writestr("summaries.json", _json(summaries))
        archive.writestr("header.json", _json(_header(run, summary, len(summaries))))
    return [path]


def _samples(run: Run) -> Iterator[dict[str, Any]]:
    system = run.config["run"]["data"].get("system_prompt")
    if run.config["run"]["data"].get("prompt_role", "system") != "system":
        system = None  # it stands in the question's own turn
    for question, samples in asked(run):
        for sample in samples:
            yield _sample(run, question.as_asked(sample.sample), sample, system)


def _sample(run: Run, question: Question, sample: Sample, system: str | None) -> dict[str, Any]:
    name = f"{question.id}/{sample.sample}"
    turns = [{"id": f"{name}/system", "role": "system", "content": system}] if system else []
    turns.append({"id": f"{name}/user", "role": "user", "content": question.prompt, "source": "input"})
    reply = {
        "id": f"{name}/assistant",
        "role": "assistant",
        "content": sample.response,
        "source": "generate",
        "model": model_path(run),
    }
    usage = {
        "input_tokens": sample.prompt_tokens,
        "output_tokens": sample.generated_tokens,
        "total_tokens": sample.prompt_tokens + sample.generated_tokens,
    }
    return {
        "id": question.id,
        "epoch": sample.sample + 1,
        "input": turns,
        "target": question.gold,
        "messages": [*turns, reply],
        "output": {
            "model": model_path(run),
            "choices": [{"message": reply, "stop_reason": _STOP_REASONS[sample.finish_reason]}],
            "completion": sample.response,
            "usage": usage,
            "time": sample.seconds,
        },
        "scores": {} if sample.status == "failed" else {SCORER: _score(sample)},
        "metadata": {**question.metadata, "srgen": _own(sample)},
        "store": {},
        "events": [],
        "model_usage": {model_path(run): usage},
        "total_time": sample.seconds,
        "uuid": f"{name}/{sample.seed}",
        "attachments": {},
    } | ({"error": _error(sample)} if sample.status == "failed" else {})


def _score(sample: Sample) -> dict[str, Any]:
    return {
        "value": "C" if sample.correct else "I",
        "answer": sample.answer,
        "explanation": f"{sample.status}: extracted {sample.answer!r}",
        "history": [],
    }


def _error(sample: Sample) -> dict[str, str]:
    message = sample.error or "it was not generated"
    return {"message": message, "traceback": message, "traceback_ansi": message}


def _own(sample: Sample) -> dict[str, Any]:
    return {
        "status": sample.status,
        "seed": sample.seed,
        "reflections": sample.reflections,
        "seconds": sample.seconds,
        "worker": sample.worker,
        **own_fields(sample.to_json()),
    }


def _summary(sample: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "epoch", "input", "target", "metadata", "scores", "model_usage", "total_time", "uuid")
    failed = {"error": sample["error"]["message"]} if "error" in sample else {}
    count = len(sample["messages"])
    return {**{name: sample[name] for name in names}, **failed, "completed": not failed, "message_count": count}


def _header(run: Run, summary: Summary, samples: int) -> dict[str, Any]:
    ended = written_at(run)
    seconds = 0.0 if math.isnan(run.wall_seconds) else run.wall_seconds
    started, ended_at = ended.isoformat(), (ended + timedelta(seconds=seconds)).isoformat()
    sampling = run.config["run"].get("sampling") or {}
    metrics = {"accuracy": summary.avg, "stderr": summary.se_new_questions}
    scores = {name: {"name": name, "value": value / 100} for name, value in metrics.items() if not math.isnan(value)}
    revision = run.config.get("git_commit")
    return {
        "version": VERSION,
        "status": "success" if samples == summary.samples else "cancelled",
        "eval": {
            "eval_id": f"{summary.questions_hash[:16]}-{run.directory.resolve().name}",
            "run_id": run.directory.resolve().name,
            "created": started,
            "task": run.benchmark,
            "task_id": summary.questions_hash[:22],
            "task_version": 0,
            "dataset": {
                "name": run.benchmark,
                "samples": summary.questions,
                "sample_ids": [question.id for question in run.questions],
                "shuffled": False,
            },
            "model": model_path(run),
            "model_generate_config": {
                name: sampling[name]
                for name in ("temperature", "top_p", "top_k", "min_p")
                if sampling.get("do_sample") and sampling.get(name)
            }
            | ({"max_tokens": sampling["max_new_tokens"]} if "max_new_tokens" in sampling else {}),
            "model_args": {},
            "config": {"epochs": run.samples_per_question},
            "packages": versions(run),
            "metadata": {"srgen": kept_settings(run), "method": run.method},
        }
        | ({"revision": {"type": "git", "origin": "", "commit": revision}} if revision else {}),
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": summary.samples,
            "completed_samples": samples,
            "scores": [{"name": SCORER, "scorer": SCORER, "params": {}, "metrics": scores}],
        },
        "stats": {
            "started_at": started,
            "completed_at": ended_at,
            "model_usage": {
                model_path(run): {
                    "input_tokens": sum(sample.prompt_tokens for sample in run.counted),
                    "output_tokens": summary.tokens,
                    "total_tokens": sum(s.prompt_tokens + s.generated_tokens for s in run.counted),
                }
            },
        },
    }


def _json(value: Any) -> str:
    # ASCII: half a surrogate pair, which a model may write, has no other form.
    return json.dumps(value)

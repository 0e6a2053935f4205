"""Every Eval Ever, schema 0.3.0: one JSON file with the metrics and their intervals, one JSONL with every sample."""

from __future__ import annotations

import hashlib
import json
import math
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluators.analysis.summary_rows import Summary
from evaluators.benchmarks.benchmark import Question
from evaluators.exchange.writers.samples import asked, graded_with, hub_source, model_path, versions, written_at
from evaluators.records.reading import Run
from evaluators.records.schema import Sample

SCHEMA_VERSION = "0.3.0"
_LEVEL = 0.95


def write(run: Run, summary: Summary, folder: Path) -> list[Path]:
    """Write both files into a folder, named by one UUID as the project's datastore asks."""
    developer, _, name = _model_id(run).partition("/")
    name_of_files = uuid.uuid4()
    aggregate, instances = folder / f"{name_of_files}.json", folder / f"{name_of_files}_samples.jsonl"
    retrieved = str(time.time())
    identity = f"{run.benchmark}/{developer}_{name}/{retrieved}"
    rows = 0
    with instances.open("w", encoding="utf-8", newline="\n") as file:
        for row in _instances(run, summary, identity):
            file.write(json.dumps(row) + "\n")
            rows += 1
    details = {
        "format": "jsonl",
        "file_path": f"data/{run.benchmark}/{developer}/{name}/{instances.name}",
        "hash_algorithm": "sha256",
        "checksum": hashlib.sha256(instances.read_bytes()).hexdigest(),
        "total_rows": rows,
    }
    log = _log(run, summary, identity, retrieved) | {"detailed_evaluation_results": details}
    aggregate.write_text(json.dumps(log, indent=2), "utf-8")
    return [aggregate, instances]


def _model_id(run: Run) -> str:
    """The model in the hub's form; a folder's name has no owner."""
    path = model_path(run)
    parts = path.rstrip("/").split("/")
    return (
        path
        if len(parts) == 2 and not path.startswith((".", "/", "~")) and parts[0] != "models"
        else f"unknown/{parts[-1]}"
    )


def _log(run: Run, summary: Summary, identity: str, retrieved: str) -> dict[str, Any]:
    version = graded_with(run).get("srgen", "unknown")
    backend = str(run.config["run"]["model"].get("backend", "unknown"))
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": identity,
        "evaluation_timestamp": str(written_at(run).timestamp()),
        "retrieved_timestamp": retrieved,
        "source_metadata": {
            "source_name": "srgen",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "third_party",
        },
        "eval_library": {
            "name": "srgen",
            "version": version,
            "additional_details": {"grading_version": summary.grading_version},
        },
        "model_info": {
            "name": model_path(run),
            "id": _model_id(run),
            "inference_engine": {"name": backend, "version": versions(run).get(backend, "unknown")},
            "additional_details": {
                "deployment_type": "unknown" if backend == "openai" or "imported" in run.config else "self_deployed",
                "model_availability": "unknown",
                "method": run.method,
            },
        },
        "evaluation_results": [_result(run, summary, name) for name in ("avg", "cons", "pass")],
    }


def _result(run: Run, summary: Summary, name: str) -> dict[str, Any]:
    field = "pass_" if name == "pass" else name
    low, high = getattr(summary, f"{name}_low"), getattr(summary, f"{name}_high")
    uncertainty: dict[str, Any] = {"num_samples": summary.questions}
    if not math.isnan(low):
        uncertainty["confidence_interval"] = {"lower": low / 100, "upper": high / 100, "confidence_level": _LEVEL}
    if name == "avg" and not math.isnan(summary.se_new_questions):
        uncertainty["standard_error"] = {"value": summary.se_new_questions / 100, "method": "over questions"}
    kinds = {"avg": "accuracy", "cons": "majority_vote", "pass": "pass_rate"}
    return {
        "evaluation_result_id": _result_id(run, name),
        "evaluation_name": f"{run.benchmark} {name.capitalize()}@{summary.k}",
        "source_data": _source_data(run, summary),
        "evaluation_timestamp": str(written_at(run).timestamp()),
        "metric_config": {
            "evaluation_description": f"{name.capitalize()}@{summary.k} with srgen's grader",
            "metric_id": {"avg": "accuracy", "cons": "srgen.cons_at_k", "pass": "pass_at_k"}[name],
            "metric_name": f"{name.capitalize()}@{summary.k}",
            "metric_kind": kinds[name],
            "metric_unit": "proportion",
            "metric_parameters": {"k": summary.k},
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": {"score": getattr(summary, field) / 100, "uncertainty": uncertainty},
        "generation_config": _generation(run),
    }


def _result_id(run: Run, name: str) -> str:
    return f"{run.benchmark}:{name}@{run.samples_per_question}"


def _source_data(run: Run, summary: Summary) -> dict[str, Any]:
    data = run.config["run"]["data"]
    source = hub_source(run)
    if source is None:
        return {"dataset_name": run.benchmark, "source_type": "other"}
    return {
        "dataset_name": run.benchmark,
        "source_type": "hf_dataset",
        "hf_repo": source.repository,
        "hf_split": data.get("split") or source.split,
        "samples_number": summary.questions,
        "sample_ids": [question.id for question in run.questions],
    }


def _generation(run: Run) -> dict[str, Any]:
    sampling = run.config["run"].get("sampling") or {}
    arguments: dict[str, Any] = {}
    if sampling:
        arguments["temperature"] = sampling["temperature"] if sampling["do_sample"] else 0.0
        if sampling["do_sample"]:
            arguments |= {"top_p": sampling["top_p"]} | ({"top_k": sampling["top_k"]} if sampling["top_k"] else {})
        arguments["max_tokens"] = sampling["max_new_tokens"]
    srgen = run.config["run"].get("srgen") or {}
    return {
        "generation_args": arguments,
        "additional_details": {f"srgen.{key}": str(value) for key, value in srgen.items()},
    }


def _instances(run: Run, summary: Summary, identity: str) -> Iterator[dict[str, Any]]:
    for question, samples in asked(run):
        for sample in samples:
            yield _instance(run, question.as_asked(sample.sample), sample, identity)


def _instance(run: Run, question: Question, sample: Sample, identity: str) -> dict[str, Any]:
    text = question.prompt + question.gold
    row: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": identity,
        "model_id": _model_id(run),
        "evaluation_name": f"{run.benchmark} Avg@{run.samples_per_question}",
        "evaluation_result_id": _result_id(run, "avg"),
        "sample_id": question.id,
        "sample_hash": hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": question.prompt, "reference": [question.gold]},
        "output": {"raw": [sample.response]},
        "answer_attribution": [],
        "evaluation": {"score": float(sample.correct), "is_correct": sample.correct},
        "token_usage": {
            "input_tokens": sample.prompt_tokens,
            "output_tokens": sample.generated_tokens,
            "total_tokens": sample.prompt_tokens + sample.generated_tokens,
        },
        "performance": {"latency_ms": 1000 * sample.seconds},
        "error": sample.error,
        "metadata": {
            "sample": str(sample.sample),
            "status": sample.status,
            "finish_reason": sample.finish_reason,
            "reflections": str(sample.reflections),
        },
    }
    if sample.answer is not None:
        row["answer_attribution"] = [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": sample.answer,
                "extraction_method": "srgen grader",
                "is_terminal": True,
            }
        ]
    return row

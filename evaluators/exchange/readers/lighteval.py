"""lighteval's details_<task>_<date>.parquet: a row per document, its responses in `model_response.text`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluators.exchange.generation import Generation, Source, truth_of
from evaluators.exchange.readers.parquet import parquet_rows
from srgen.errors import SRGenError


def read(path: Path, wanted: str | None) -> Source:
    """A file of details; the verdicts are those of the metric `wanted`, by default the first that is 0 or 1."""
    return Source("lighteval", _generations(path, wanted))


def _generations(path: Path, wanted: str | None) -> Iterator[Generation]:
    for where, row in parquet_rows(path):
        if not row.keys() >= {"doc", "model_response", "metric"}:
            raise SRGenError(
                f"{where}: not lighteval's details of version 0.10 or later, with doc, model_response and metric; "
                f"found: {', '.join(row)}"
            )
        yield from _document(where, row, wanted)


def _document(where: str, row: Mapping[str, Any], wanted: str | None) -> Iterator[Generation]:
    doc, answered = row["doc"], row["model_response"]
    texts = answered.get("text") or []
    if not texts:
        raise SRGenError(f"{where}: it has no response; only tasks that generate can be graded")
    counts = [len(tokens) for tokens in answered.get("output_tokens") or []]
    for index, text in enumerate(texts):
        yield Generation(
            where=where,
            keys=(str(doc["id"]),) if doc.get("id") not in (None, "") else (),
            question=str(doc["query"]),
            sample=index,
            response=text,
            gold=_gold(doc),
            prompt_tokens=len(answered.get("input_tokens") or []),
            tokens=counts[index] if index < len(counts) else None,
            correct=_verdict(row["metric"] or {}, wanted, where) if len(texts) == 1 else None,
        )


def _gold(doc: Mapping[str, Any]) -> str | None:
    choices, index = doc.get("choices") or [], doc.get("gold_index")
    first = index[0] if isinstance(index, list) and index else index
    return str(choices[first]) if isinstance(first, int) and 0 <= first < len(choices) else None


def _verdict(metric: Mapping[str, Any], wanted: str | None, where: str) -> bool | None:
    if wanted is not None and wanted not in metric:
        raise SRGenError(f"{where}: there is no metric {wanted!r}; found: {', '.join(metric)}")
    values = [metric[wanted]] if wanted else list(metric.values())
    return next((truth for value in values if (truth := truth_of(value)) is not None), None)

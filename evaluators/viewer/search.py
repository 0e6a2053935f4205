"""Searching the responses of a set of runs: their journals are read through once, and nothing of them is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from evaluators.presentation.documents.collection import Collection
from evaluators.records.growing import open_inside
from evaluators.records.schema import SAMPLES_FILE

MOST = 200
"""Samples that a search finds; the rest is left out."""
AROUND = 60
"""Characters shown on both sides of what was found."""


def search(collection: Collection, words: str) -> dict[str, Any]:
    """Samples whose response holds the words, ASCII letters in either case: their places with an excerpt each."""
    found: list[dict[str, Any]] = []
    for hit in _hits(collection, words):
        if len(found) == MOST:
            return {"hits": found, "more": True}
        found.append(hit)
    return {"hits": found, "more": False}


def _hits(collection: Collection, words: str) -> Iterator[dict[str, Any]]:
    wanted = json.dumps(words, ensure_ascii=False)[1:-1].encode(errors="replace").lower()
    for number, entry in enumerate(collection.entries):
        for run, question in entry.numbers.items():
            indexed = collection.runs[run]
            journal = indexed.journal
            with open_inside(indexed.directory / SAMPLES_FILE, None) as file:
                for index in range(journal.offset.shape[1]):
                    if journal.offset[question, index] < 0:
                        continue
                    file.seek(int(journal.offset[question, index]))
                    line = file.read(int(journal.length[question, index]))
                    if wanted not in line.lower():
                        continue
                    sample = json.loads(line)
                    at = sample["response"].lower().find(words.lower())
                    if at >= 0:
                        excerpt = sample["response"][max(0, at - AROUND) : at + len(words) + AROUND]
                        yield {"question": number, "run": run, "sample": index, "excerpt": excerpt}

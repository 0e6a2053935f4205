"""Documents compressed for a file: one question after the other, in chunks of limited size."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from typing import Any

from evaluators.presentation.documents.collection import Collection
from evaluators.presentation.documents.plain_json import to_json

CHUNK_BYTES = 4_000_000
"""JSON in a chunk, which the page unpacks as a whole when one of its samples is looked at."""


def packed(document: Any) -> str:
    """A document as base64 of gzip of JSON."""
    return base64.b64encode(gzip.compress(to_json(document).encode(), compresslevel=6, mtime=0)).decode()


def chunks(collection: Collection) -> Iterator[tuple[list[int], str]]:
    """The questions of each chunk, by number, and the chunk: their documents and their samples'. Raises SRGenError."""
    numbers: list[int] = []
    questions: dict[int, Any] = {}
    samples: dict[int, Any] = {}
    size = 0
    for number, entry in enumerate(collection.entries):
        question = collection.question(number)
        bodies = {
            run: {
                index: body
                for index in range(collection.runs[run].run.samples_per_question)
                if (body := collection.sample(number, run, index)) is not None
            }
            for run in entry.numbers
        }
        length = len(to_json([question, bodies]))
        if numbers and size + length > CHUNK_BYTES:
            yield numbers, packed({"questions": questions, "samples": samples})
            numbers, questions, samples, size = [], {}, {}, 0
        numbers.append(number)
        questions[number], samples[number] = question, bodies
        size += length
    yield numbers, packed({"questions": questions, "samples": samples})

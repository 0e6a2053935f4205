"""Documents compressed for a file: one question after the other, in chunks of limited size."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator, Mapping
from typing import Any

from evaluators.presentation.documents.collection import Collection
from evaluators.presentation.documents.plain_json import to_json

CHUNK_BYTES = 4_000_000
"""JSON in a chunk, which the page unpacks as a whole when one of its samples is looked at."""


def packed(document: Any) -> str:
    """A document as base64 of gzip of JSON."""
    return _compressed(to_json(document))


def chunks(collection: Collection) -> Iterator[tuple[list[int], str]]:
    """The questions of each chunk, by number, and the chunk: their documents and their samples'. Raises SRGenError."""
    held: dict[int, tuple[str, str]] = {}
    size = 0
    for number, entry in enumerate(collection.entries):
        bodies = {
            run: {
                index: body
                for index in range(collection.runs[run].run.samples_per_question)
                if (body := collection.sample(number, run, index)) is not None
            }
            for run in entry.numbers
        }
        texts = to_json(collection.question(number)), to_json(bodies)
        length = sum(map(len, texts))
        if held and size + length > CHUNK_BYTES:
            yield list(held), _chunk(held)
            held, size = {}, 0
        held[number] = texts
        size += length
    yield list(held), _chunk(held)


def _chunk(held: Mapping[int, tuple[str, str]]) -> str:
    """From the JSON of each question and of its samples."""
    questions = ",".join(f'"{number}":{question}' for number, (question, _) in held.items())
    samples = ",".join(f'"{number}":{bodies}' for number, (_, bodies) in held.items())
    return _compressed(f'{{"questions":{{{questions}}},"samples":{{{samples}}}}}')


def _compressed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()

"""`python -m evaluators.report RUN [RUN ...] -o report.html`: one file with the verdict, the tables and the samples.

It is the page of the live view with its documents inside. Samples beyond what one file should hold lie in script files
in a folder beside it, which the page loads on demand.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluators.analysis.loading import load_summary
from evaluators.presentation.documents.collection import Collection
from evaluators.presentation.documents.packing import chunks, packed
from evaluators.presentation.documents.pair import pair_documents
from evaluators.presentation.page import render
from evaluators.records.indexed_run import IndexedRun
from evaluators.records.reading import unused, write_atomically
from srgen.command_line import Parser, called, command
from srgen.errors import SRGenError

FIRST_BYTES = 16_000_000
"""Compressed samples inside the HTML file itself, which must stay under 30 MB; the rest lies beside it."""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = Parser(prog=called("report", "evaluators.report"), description="One HTML file about runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run directories")
    parser.add_argument(
        "-o", "--output", type=Path, help="default: report.html, or report-2.html, ... beside earlier ones"
    )
    options = parser.parse_args(arguments)
    output = options.output or unused(Path("report.html"))
    if output.is_dir():
        raise SRGenError(f"{output} is a folder; name the file, such as {output / 'report.html'}")
    beside = write_report(options.runs, output)
    print(f"written: {output}" + (f", with {beside} pages of samples beside it" if beside else ""))
    return 0


def write_report(directories: Sequence[Path], output: Path) -> int:
    """Write the report and return the number of pages beside it. Raises SRGenError where a run cannot be read."""
    collection = _collection(directories)
    documents = {f"document-{name}": packed(document) for name, document in _documents(collection).items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f"{output.stem}_pages")
    chunk_of: dict[int, int] = {}
    embedded = beside = 0
    for number, (questions, text) in enumerate(chunks(collection)):
        chunk_of |= dict.fromkeys(questions, number)
        if not beside and (number == 0 or embedded + len(text) <= FIRST_BYTES):
            documents[f"chunk-{number}"] = text
            embedded += len(text)
        else:
            folder.mkdir(exist_ok=True)
            write_atomically(folder / page_file(number), f'srgenPage({number},"{text}");\n')
            beside += 1
    settings = {"kind": "embedded", "folder": folder.name, "chunk_of": [chunk_of[n] for n in sorted(chunk_of)]}
    nonce = hashlib.sha256("".join(documents.values()).encode()).hexdigest()[:32]
    write_atomically(output, render(settings, nonce, documents))
    return beside


def page_file(number: int) -> str:
    """Name of the file with a chunk of samples."""
    return f"page-{number:04d}.js"


def _collection(directories: Sequence[Path]) -> Collection:
    summaries = [load_summary(directory) for directory in directories]
    runs = [IndexedRun(directory) for directory in directories]
    for run in runs:
        run.refresh()
        if run.journal.damaged:
            raise SRGenError(f"{run.directory}/samples.jsonl, line {run.journal.damaged[0]}, is damaged")
    return Collection(runs, summaries, [str(directory) for directory in directories])


def _documents(collection: Collection) -> dict[str, Any]:
    pairs = pair_documents(collection)
    return {
        "contents": collection.contents(),
        "pairs": pairs,
        "prompts": collection.prompts(),
        "plots": _plots(collection) if any("metrics" in pair for pair in pairs) else [],
    }


def _plots(collection: Collection) -> list[dict[str, str]]:
    from evaluators.presentation.documents.plot_images import plot_images

    try:
        return plot_images(collection)
    except SRGenError as error:  # matplotlib is an extra
        print(f"report: without the plots: {error}", file=sys.stderr)
        return []


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m evaluators.report RUN [RUN ...] -o report.html`: one file with the tables, the plots and the samples.

Samples beyond what one file should hold lie in script files in a folder beside it, which the page loads on demand.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluators.analysis.loading import load_summary
from evaluators.analysis.pairing import Pair, pair_up
from evaluators.analysis.summary_rows import Summary
from evaluators.presentation.comparison_tables import cells, headings, remarks
from evaluators.presentation.report_data import entries, index, pages, run_name, safe_json
from evaluators.presentation.run_table import bounds_line, counts_line, incomplete, number
from evaluators.presentation.verdict import verdict
from evaluators.records.reading import Run, read_run, unused, write_atomically
from srgen.command_line import Parser, called, command
from srgen.errors import SRGenError
from srgen.extras import install

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    summaries = [load_summary(directory) for directory in directories]
    runs = [read_run(directory) for directory in directories]
    pairs = pair_up(summaries, directories)
    questions = entries(runs, {pair.other: pair.comparison for pair in pairs if pair.comparison})
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f"{output.stem}_pages")
    page_of: dict[int, int] = {}
    first_page, page = "{}", 0
    for page, (numbers, text) in enumerate(pages(runs, questions)):
        page_of |= dict.fromkeys(numbers, page)
        if page == 0:
            first_page = text
        else:
            folder.mkdir(exist_ok=True)
            write_atomically(folder / page_file(page), f"srgenPage({page},{text});\n")
    contents = safe_json({**index(runs, questions, page_of), "folder": folder.name})
    write_atomically(output, _render(runs, summaries, pairs, contents, first_page))
    return page


def page_file(page: int) -> str:
    """Name of the file with a page's samples."""
    return f"page-{page:04d}.js"


def _render(
    runs: Sequence[Run], summaries: Sequence[Summary], pairs: Sequence[Pair], contents: str, first_page: str
) -> str:
    try:
        import jinja2  # an extra
    except ImportError:
        raise SRGenError(f"the report needs jinja2: {install('report')}") from None
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("evaluators.presentation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("report.html").render(
        runs=[_run_view(run, summary) for run, summary in zip(runs, summaries, strict=True)],
        pairs=[_pair_view(pair, runs, many=len(pairs) > 1) for pair in pairs],
        contents=contents,
        first_page=first_page,
        nonce=hashlib.sha256((contents + first_page).encode()).hexdigest()[:32],
    )


def _run_view(run: Run, summary: Summary) -> Mapping[str, Any]:
    metrics = [
        (f"{name}@{summary.k}", number(rate), f"[{number(low)}, {number(high)}]")
        for name, rate, low, high in (
            ("Avg", summary.avg, summary.avg_low, summary.avg_high),
            ("Cons", summary.cons, summary.cons_low, summary.cons_high),
            ("Pass", summary.pass_, summary.pass_low, summary.pass_high),
        )
    ]
    missing = f"{counts_line(summary)}; {bounds_line(summary)}" if incomplete(summary) else counts_line(summary)
    return {"name": run_name(run), "summary": summary, "metrics": metrics, "missing": missing, "number": number}


def _pair_view(pair: Pair, runs: Sequence[Run], *, many: bool) -> Mapping[str, Any]:
    view = {"base": run_name(runs[pair.base]), "other": run_name(runs[pair.other]), "refusal": pair.refusal}
    if pair.comparison is None:
        return view
    from evaluators.presentation.plots import plots  # matplotlib is an extra, and slow to import

    drawn = plots(pair.comparison, runs[pair.base].directory, runs[pair.other].directory)
    return view | {
        "headings": headings([pair.comparison]),
        "cells": cells(pair.comparison, many=many),
        "remarks": [verdict(pair.comparison, many=many), *remarks(pair.comparison)],
        "plots": [(name, _data_uri(figure)) for name, figure in drawn.items()],
    }


def _data_uri(figure: Figure) -> str:
    picture = io.BytesIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(picture.getvalue()).decode()


if __name__ == "__main__":
    raise SystemExit(main())

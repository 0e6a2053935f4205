"""What the study's command prints besides its table: the cells, how far they are, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluators.presentation.wording import together
from evaluators.study.cells import Cell
from evaluators.study.status import CellStatus, hours_left


def commands(cells: Sequence[Cell]) -> str:
    """Every cell's own command."""
    return "\n".join(f"# {cell.name}\n{cell.command}" for cell in cells)


def counts(statuses: Sequence[CellStatus]) -> str:
    """Cells and samples in a sentence, and the time that is left where anything tells."""
    planned = sum(status.planned or 0 for status in statuses)
    unread = sum(status.planned is None for status in statuses)
    done = sum(status.tally.samples for status in statuses)
    cells = f"{len(statuses)} cells, {planned:,} samples"
    if unread:
        cells += f" (and those of {unread} cells whose questions have not been read)"
    return f"{cells}; {done:,} samples are there{_time_left(statuses)}"


def status_table(statuses: Sequence[CellStatus]) -> str:
    """A line per cell."""
    lines = [("cell", "state", "samples", "accuracy", "tokens", "reflections")]
    for status in statuses:
        tally = status.tally
        planned = "?" if status.planned is None else f"{status.planned}"
        lines.append(
            (
                status.cell.name,
                status.state,
                f"{tally.samples}/{planned}",
                f"{100 * tally.correct / tally.samples:.1f} %" if tally.samples else "-",
                f"{tally.tokens:,}",
                f"{tally.reflections:,}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    failed = {status.cell.name: status.failure for status in statuses if status.state == "failed"}
    return "\n".join([*table, "", counts(statuses), *failures(failed)])


def failures(reasons: Mapping[str, str]) -> list[str]:
    """A line per reason, with the cells that it keeps from running."""
    cells: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        cells.setdefault(reason, []).append(name)
    return [f"{together(names)}: {reason}" for reason, names in cells.items()]


def _time_left(statuses: Sequence[CellStatus]) -> str:
    if not any(status.owed for status in statuses):
        return ""
    hours = hours_left(statuses)
    if hours is None:
        return ", how long the rest takes is not known before the first are"
    text = f"{hours:,.1f} hours" if hours >= 1 else f"{60 * hours:,.1f} minutes"
    return f", the rest takes about {text} of one {_device(statuses)} at their pace"


def _device(statuses: Sequence[CellStatus]) -> str:
    return "GPU" if any(status.on_gpu for status in statuses) else "worker"

"""The table of all flags in Markdown.

`python -m evaluators.settings.flags_table FILE ...` writes it into Markdown files, between its marks.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from evaluators.settings.flag import Flag
from evaluators.settings.flags import FLAGS, GROUPS, REPLACED


def table() -> str:
    """All flags as a Markdown table, those of the released code that were replaced at the end."""
    rows = [("flag", "unit", "default", "meaning"), ("---",) * 4]
    for group in GROUPS:
        rows.append((f"**{group}**", "", "", ""))
        rows += [_row(flag) for flag in FLAGS if flag.group == group]
    rows.append(("**replaced**", "", "", ""))
    rows += [(f"`--{name}`", "", "", f"Not taken: it {why}.") for name, why in REPLACED.items()]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _row(flag: Flag) -> tuple[str, str, str, str]:
    off = f", `--no-{flag.name}`" if flag.kind == "bool" else ""
    return f"`--{flag.name}`{off}", flag.unit, flag.default_text, flag.help


def with_table(text: str) -> str:
    """The Markdown text with the table between `<!-- flags -->` and `<!-- /flags -->` brought up to date."""
    return re.sub(r"(?s)(<!-- flags -->\n).*?(<!-- /flags -->)", lambda place: f"{place[1]}{table()}\n{place[2]}", text)


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")

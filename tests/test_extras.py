"""What is said where something optional is missing works from a clone: the project is on no package index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from srgen.extras import install

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TEXTS = [
    *(path for package in ("srgen", "evaluators", "training", "scripts") for path in (ROOT / package).rglob("*.py")),
    *(ROOT / "docs").glob("*.md"),
    *ROOT.glob("*.md"),
]


def test_nothing_tells_to_install_srgen_from_an_index() -> None:
    for path in TEXTS:
        assert not re.search(r"install [^\n]{0,20}\bsrgen\b(\[|'|\"|$)", path.read_text("utf-8"), re.MULTILINE), path


def test_every_extra_that_is_named_exists() -> None:
    named = {name for path in TEXTS for name in re.findall(r"install\(['\"]([\w-]+)['\"]\)", path.read_text("utf-8"))}
    named |= {name for path in TEXTS for name in re.findall(r"-e ['\"]\.\[([\w-]+)\]", path.read_text("utf-8"))}
    assert {"demo", "openai", "ray", "report", "server", "vllm", "lm-eval", "inspect", "train"} <= named <= set(EXTRAS)
    assert install("report") == "run `pip install -e '.[report]'` in the project's clone"

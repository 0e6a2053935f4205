"""Which runs make a pair worth comparing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from srgen.errors import SRGenError


def check_pairs(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Raise SRGenError for a run compared with itself, and for a pair that is given twice (Holm would count it so)."""
    seen: set[tuple[Path, Path]] = set()
    for base, other in pairs:
        places = _folder(base), _folder(other)
        if places[0] == places[1]:
            raise SRGenError(f"{base} would be compared with itself; give two runs, base first")
        if places in seen or places[::-1] in seen:
            raise SRGenError(f"the pair {base} and {other} is given twice; give each once, since p-values count pairs")
        seen.add(places)


def _folder(run: Path) -> Path:
    return run.resolve() if run.is_dir() else run.resolve().parent

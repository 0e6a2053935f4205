"""The layout in figures: modules per folder, imports between folders, longest module and function, lines, `--help`.

    python scripts/measure_layout.py [ROOT ...]

measures each ROOT (default: this checkout), a folder that holds the packages `srgen`, `evaluators` and `training`, and
prints one Markdown table with a column per ROOT. `git worktree add /tmp/before before-layout` gives a checkout of
another commit.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("srgen", "evaluators", "training")


def modules(root: Path) -> dict[str, Path]:
    """Every module of the packages by its dotted name; a package goes by its `__init__`'s."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path) -> dict[str, set[str]]:
    """The modules of the packages that each of them imports, anywhere in its file (in functions, for types)."""
    known = modules(root)
    return {name: set(_imported(ast.parse(path.read_text("utf-8")), known)) for name, path in known.items()}


def _imported(tree: ast.Module, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if name in known:
                    yield name
                elif node.module in known:
                    yield node.module


def folder(module: str, path: Path) -> str:
    """The folder that a module lies in, as a dotted name."""
    return module if path.name == "__init__.py" else module.rpartition(".")[0]


def measure(root: Path) -> dict[str, str]:
    """The figures of one checkout, by what they measure."""
    known = modules(root)
    folders = {name: folder(name, path) for name, path in known.items()}
    sizes = Counter(folders.values())
    between = sum(folders[a] != folders[b] for a, targets in imports(root).items() for b in targets)
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in known.items()}
    longest_module = max(lines, key=lambda name: lines[name])
    length, function = max(_functions(known))
    largest = ", ".join(f"{name} {count}" for name, count in sizes.most_common(3))
    return {
        "modules": str(len(known)),
        "folders": str(len(sizes)),
        "modules per folder, on average": f"{len(known) / len(sizes):.1f}",
        "the largest folders": largest,
        "imports between folders": str(between),
        "longest module (lines)": f"{lines[longest_module]} ({longest_module})",
        "longest function (lines)": f"{length} ({function})",
        "lines": str(sum(lines.values())),
        "`python -m evaluators.aime --help` (best of 5)": f"{_help_seconds(root):.2f} s",
    }


def _functions(known: dict[str, Path]) -> Iterator[tuple[int, str]]:
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{name}.{node.name}"


def _help_seconds(root: Path) -> float:
    def once() -> float:
        start = time.perf_counter()
        command = [sys.executable, "-m", "evaluators.aime", "--help"]
        environment = os.environ | {"PYTHONPATH": str(root)}
        subprocess.run(command, check=True, cwd=root, env=environment, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    return min(once() for _ in range(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("roots", nargs="*", type=Path, metavar="ROOT", default=[Path(__file__).resolve().parents[1]])
    roots = [root.resolve() for root in parser.parse_args().roots]
    tables = [measure(root) for root in roots]
    print("| | " + " | ".join(root.name for root in roots) + " |")
    print("| --- |" + " --- |" * len(roots))
    for name in tables[0]:
        print(f"| {name} | " + " | ".join(table[name] for table in tables) + " |")


if __name__ == "__main__":
    main()

"""`srgen SUBCOMMAND ...`: every command under one name. Each is a module that `python -m` runs as well."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import srgen
from srgen.command_line import USAGE_ERROR, command, given
from srgen.suggest import unknown_name


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A command by its module, which has `main(arguments) -> exit status`."""

    module: str
    arguments: str
    help: str


SUBCOMMANDS = {
    "eval": Subcommand("evaluators.__main__", "BENCHMARK --model_path MODEL", "make a run, or go on with one"),
    "study": Subcommand("evaluators.study.__main__", "STUDY.yaml", "models x benchmarks x methods, to one table"),
    "list": Subcommand("evaluators.runs", "[FOLDER ...]", "the runs that there are, and how far each is"),
    "compare": Subcommand("evaluators.compare", "BASE RUN [RUN ...]", "differences with intervals and p-values"),
    "report": Subcommand("evaluators.report", "RUN [RUN ...]", "one HTML file with the tables and every sample"),
    "view": Subcommand("evaluators.view", "[RESULTS]", "a folder of runs in the browser, live"),
    "rescore": Subcommand("evaluators.rescore", "RUN [RUN ...]", "grade finished runs again"),
    "grade": Subcommand("evaluators.grading.__main__", "< CASES.jsonl", "grade lines of JSON, or explain a verdict"),
    "import": Subcommand("evaluators.importing", "SOURCE --benchmark NAME", "another tool's generations as a run"),
    "export": Subcommand("evaluators.exporting", "RUN --to FORMAT", "a run in another tool's files"),
    "serve": Subcommand("srgen.server.__main__", "--model_path MODEL", "an OpenAI-compatible server with SRGen"),
    "demo": Subcommand("evaluators.demo", "", "the embedded model on the embedded questions: a table and a report"),
}


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Hand on to the subcommand that the first argument names; the exit status."""
    name, *rest = given(arguments) or [""]
    if name == "--version":
        print(f"srgen {srgen.__version__}")
        return 0
    if name in ("", "-h", "--help", "help"):
        print(usage(), file=sys.stdout if name else sys.stderr)
        return 0 if name else USAGE_ERROR
    if name not in SUBCOMMANDS:
        raise unknown_name("command", name, SUBCOMMANDS)
    chosen = SUBCOMMANDS[name]
    status: int = import_module(chosen.module).main(rest)
    return status


def usage() -> str:
    """One line per subcommand."""
    width = max(len(f"{name} {it.arguments}") for name, it in SUBCOMMANDS.items())
    lines = [f"  srgen {f'{name} {it.arguments}':{width}}  {it.help}" for name, it in SUBCOMMANDS.items()]
    return "\n".join(["usage:", *lines, "", "srgen SUBCOMMAND --help shows its flags; srgen --version the version."])


if __name__ == "__main__":
    raise SystemExit(main())

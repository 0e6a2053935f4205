"""`srgen SUBCOMMAND`: every command is there, under the name that its help shows."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest
from synthetic_runs import drawn_run

import srgen
from evaluators import console
from evaluators.settings.flags import BY_NAME
from evaluators.settings.other_tools import MEANT
from evaluators.settings.sources import parse_arguments
from tests.test_cli import MINI

OFFERED = [
    "eval",
    "study",
    "list",
    "compare",
    "report",
    "view",
    "rescore",
    "grade",
    "import",
    "export",
    "serve",
    "demo",
]


@pytest.fixture(autouse=True)
def as_console_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/srgen"])


def test_the_script_is_installed_and_says_its_version() -> None:
    (entry,) = entry_points(group="console_scripts", name="srgen")
    assert entry.load() is console.main
    script = Path(sys.executable).with_name("srgen")
    shown = subprocess.run([script, "--version"], capture_output=True, text=True, check=True).stdout
    assert shown == f"srgen {srgen.__version__}\n"


def test_every_subcommand_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("  srgen ")] == OFFERED


@pytest.mark.parametrize("name", [name for name in OFFERED if name != "demo"])
def test_help_shows_the_name_that_was_typed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = console.main([name, "--help"])
    except SystemExit as end:  # of argparse
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: srgen {name} ")
    assert "python -m" not in out.split("\n\n", maxsplit=1)[0]


def test_a_command_gets_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("evaluators.view")
    module.main = len  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "evaluators.view", module)
    assert console.main(["view", "a", "b", "--c"]) == 3


def test_list_shows_how_far_runs_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = drawn_run(tmp_path / "x" / "base", questions=3, k=2)
    (tmp_path / "x" / "base" / "logs").mkdir()
    torn = drawn_run(tmp_path / "torn", questions=3, k=2, srgen=True)
    journal = torn / "samples.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:4]))
    assert console.main(["list", str(tmp_path)]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["benchmark", "model", "method", "samples", "accuracy", "folder"]
    assert [row.split()[2:4] for row in rows] == [["base", "6/6"], ["srgen", "4/6"]]
    assert rows[0].endswith(f" {base}")
    journal.write_text("what\n")
    assert console.main(["list", str(tmp_path)]) == 1
    assert "torn/samples.jsonl, line 1, is damaged" in capsys.readouterr().out


def test_output_that_nobody_reads_ends_without_a_traceback(tmp_path: Path) -> None:
    for number in range(40):
        drawn_run(tmp_path / f"{number}", questions=1, k=1)
    command = f"{sys.executable} -m evaluators.console list {tmp_path} | head -n 0; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_words_that_other_tools_use_lead_to_flags_that_exist() -> None:
    for word, ours in MEANT.items():
        assert word not in BY_NAME, f"--{word} is a flag here"
        flags = [part.split()[0].rstrip(",") for part in ours.split("--")[1:]]
        assert flags or "srgen eval" in ours
        assert len(flags) <= 3
        assert {flag.removeprefix("no-") for flag in flags} <= set(BY_NAME), ours


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("--use_entropy_control true", True),
        ("--use_entropy_control True", True),
        ("--use_entropy_control=1", True),
        ("--use_entropy_control", True),
        ("--use_entropy_control false", False),
        ("--use_entropy_control=no", False),
        ("--no-use_entropy_control", False),
    ],
)
def test_a_switch_may_be_given_its_value(words: str, value: bool) -> None:
    assert parse_arguments(MINI, [*words.split(), "--average", "1"]) == {"use_entropy_control": value, "average": 1}


@pytest.mark.parametrize("module", [it.module for it in console.SUBCOMMANDS.values()])
def test_each_is_a_module_that_python_runs_too(module: str) -> None:
    assert callable(importlib.import_module(module).main)


def test_tables_and_reports_do_not_take_the_place_of_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        drawn_run(tmp_path / name, questions=4, k=2, srgen=name != "a", seed=ord(name))
    monkeypatch.chdir(tmp_path)
    for other in ("b", "b", "c"):
        assert console.main(["compare", "a", other]) == 0
    assert sorted(path.name for path in tmp_path.glob("comparison*")) == ["comparison", "comparison-2"]
    assert "written: comparison-2/comparison.csv" in capsys.readouterr().out
    for _ in range(2):
        assert console.main(["report", "a"]) == 0
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "report-2.html").is_file()
    before = (tmp_path / "report.html").stat().st_mtime_ns
    assert console.main(["report", "a", "-o", "report.html"]) == 0, "what is named is replaced"
    assert (tmp_path / "report.html").stat().st_mtime_ns > before

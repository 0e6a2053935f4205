"""docs/extending.md as a reader would follow it: its files in a folder and an installed package, its commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from evaluators.benchmarks.custom import read_spec
from evaluators.benchmarks.registry import GROUP, benchmark_named, benchmarks
from srgen.discovery import discover
from srgen.engines import engines
from srgen.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text()


class Reader(NamedTuple):
    """A folder with the page's files in it, and the output of every command, run there in order."""

    folder: Path
    said: dict[str, str]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, demo_model: None) -> Reader:
    folder = tmp_path_factory.mktemp("reader")
    blocks = re.findall(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', TEXT, re.MULTILINE | re.DOTALL)
    groups: dict[str, dict[str, str]] = {}
    for language, title, content in blocks:
        if language == "toml":
            for group, entries in tomllib.loads(content)["project"]["entry-points"].items():
                groups.setdefault(group, {}).update(entries)
        elif title:
            (folder / title).parent.mkdir(exist_ok=True)
            (folder / title).write_text(content)
    # What installing the package writes of its entry points.
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "".join(f"[{g}]\n" + "".join(f"{k} = {v}\n" for k, v in e.items()) for g, e in groups.items())
    )
    commands = [line for language, _, text in blocks if language == "bash" for line in text.splitlines()]
    return Reader(folder, {command: run(command, folder) for command in commands})


def run(command: str, folder: Path, path: str = "") -> str:
    """Standard output of a command that must succeed, with the package installed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (path, str(ROOT), str(folder))))}
    words = [sys.executable if word == "python" else word for word in command.split()]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def said(reader: Reader, *words: str) -> str:
    (output,) = (text for command, text in reader.said.items() if all(word in command for word in words))
    return output


@pytest.mark.model
def test_a_yaml_file_is_a_benchmark(reader: Reader) -> None:
    table = said(reader, "custom", "--model_path demo --average")
    assert "sums | demo | base | 2 questions x 2 samples = 4" in table
    assert (reader.folder / "results" / "sums" / "demo").is_dir()


@pytest.mark.model
def test_a_package_brings_a_benchmark(reader: Reader) -> None:
    assert re.search(r"^riddles +2026 +2 +someone/riddles$", said(reader, "--list"), re.MULTILINE)
    assert "Riddles with numbers: a base run" in said(reader, "riddles --help")


@pytest.mark.model
def test_a_package_brings_an_engine(reader: Reader) -> None:
    table = said(reader, "--backend parrot")
    assert re.search(r"Avg@3 +50\.0 .*\n +Cons@3 +50\.0", table)


@pytest.mark.model
def test_a_package_brings_a_method(reader: Reader) -> None:
    assert "sums | demo | nudge | 2 questions x 1 samples = 2" in said(reader, "--method nudge")
    (config,) = (reader.folder / "results" / "sums" / "demo").glob("nudge-*/config.yaml")
    assert "strength: 0.01" in config.read_text()


@pytest.mark.model
def test_a_file_in_the_project_is_enough(reader: Reader, tmp_path: Path) -> None:
    """The same files, in a copy of the packages and without any entry point."""
    for package in ("srgen", "evaluators"):
        subprocess.run(["cp", "-r", str(ROOT / package), str(tmp_path)], check=True)
    (tmp_path / "evaluators" / "riddles.py").write_text((reader.folder / "my_package" / "riddles.py").read_text())
    (tmp_path / "srgen" / "engines" / "parrot.py").write_text((reader.folder / "my_package" / "parrot.py").read_text())
    (tmp_path / "srgen" / "methods" / "nudge.py").write_text((reader.folder / "my_package" / "nudge.py").read_text())
    (tmp_path / "show.py").write_text(
        "from evaluators.benchmarks.registry import benchmarks\nfrom srgen.engines import engines\n"
        "from srgen.methods.registry import methods\n"
        "print(benchmarks()['riddles'].value, engines()['parrot'].value, methods()['nudge'].__module__)\n"
    )
    shown = run("python show.py", tmp_path, str(tmp_path))
    assert shown.split() == ["evaluators.riddles:BENCHMARK", "srgen.engines.parrot:ENGINE", "srgen.methods.nudge"]


def test_what_is_there_is_found_without_a_list() -> None:
    assert list(benchmarks()) == ["aime", "amc", "choice", "gpqa", "gsm8k", "hmmt", "math500", "mini"]
    assert list(engines()) == ["openai", "released", "transformers", "vllm"]
    assert benchmark_named("aime").name == "aime"
    with pytest.raises(ConfigError, match=r"unknown benchmark 'amie'.*'aime'"):
        benchmark_named("amie")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package called `other` whose entry points a test writes."""
    monkeypatch.syspath_prepend(tmp_path)
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    return info / "entry_points.txt"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("aime = other.aime:BENCHMARK", "both called 'aime'"),
        ("odd = other_absent.odd:BENCHMARK", "odd .* cannot be imported: No module named"),
        ("odd = evaluators.aime:BENCHMARK", "not a Benchmark called 'odd'"),
        ("odd = evaluators.aime:parse_row", "not a Benchmark called 'odd'"),
    ],
)
def test_a_faulty_package_is_named(installed: Path, entry: str, message: str) -> None:
    installed.write_text(f"[{GROUP}]\n{entry}\n")
    with pytest.raises(ConfigError, match=message):
        benchmark_named("odd")


def test_an_entry_point_that_repeats_a_file_is_no_fault(installed: Path) -> None:
    installed.write_text(f"[{GROUP}]\naime = evaluators.aime:BENCHMARK\n")
    assert discover("evaluators", "BENCHMARK", GROUP)["aime"].value == "evaluators.aime:BENCHMARK"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("kind: integer", "has no path"),
        ("path: a.jsonl", "has no kind"),
        ("{path: a.jsonl, kind: number}", "must be one of integer, numeric, latex, choice, not 'number'"),
        ("{path: a.jsonl, kind: integer, feilds: {}}", "unknown key 'feilds'.*'fields'"),
        ("{path: a.jsonl, kind: integer, fields: {anser: b}}", "unknown field 'anser'.*'answer'"),
        ("{path: a.jsonl, kind: integer, fields: [b]}", "must be names"),
        ("{path: a.jsonl, kind: integer, max_new_tokens: many}", "number of tokens, not 'many'"),
        ("- a", "must hold `key: value` lines"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_faulty_yaml_file_is_one_sentence(tmp_path: Path, spec: str, message: str) -> None:
    (tmp_path / "b.yaml").write_text(spec)
    with pytest.raises(ConfigError, match=message):
        read_spec(tmp_path / "b.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "custom needs --spec"),
        (["--spec", "absent.yaml"], "absent.yaml cannot be read"),
        (["--spec", "b.yaml", "--model_path", "x/y"], "no file of questions"),
    ],
)
def test_a_faulty_custom_command_is_one_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "b.yaml").write_text("{path: absent.jsonl, kind: integer}")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "evaluators", "custom", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr

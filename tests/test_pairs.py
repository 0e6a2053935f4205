"""What `compare` refuses or says about the pairs it is given, and names that mean something elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from synthetic_runs import drawn_run, first_words

from evaluators.analysis.loading import load_summary
from evaluators.analysis.summary import summarise
from evaluators.compare import main


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    runs = [tmp_path / "base", tmp_path / "srgen"]
    for number, run in enumerate(runs):
        summarise(drawn_run(run, questions=6, k=2, srgen=bool(number), seed=number), first_words)
    return runs


def compared(capsys: pytest.CaptureFixture[str], *runs: Path) -> tuple[int, str, str]:
    status = main([*map(str, runs), "--output_dir", str(runs[0].parent / "comparison")])
    return status, *capsys.readouterr()


def test_a_run_is_not_compared_with_itself(pair: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    for itself in (pair[0], pair[0] / "summary.csv", pair[0] / ".." / "base"):
        status, out, error = compared(capsys, pair[0], itself)
        assert (status, out) == (2, "")
        assert error.endswith("would be compared with itself; give two runs, base first\n")


def test_a_pair_counts_once(pair: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    for again in (pair, pair[::-1]):
        status, out, error = compared(capsys, *pair, *again)
        assert (status, out) == (2, "")
        assert "is given twice" in error


def test_srgen_first_is_said(pair: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = compared(capsys, *pair[::-1])
    assert status == 0
    assert "the first run is srgen and the second base" in out
    assert "the first run" not in compared(capsys, *pair)[1]


def test_a_summary_of_other_samples_is_made_anew(
    pair: list[Path], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert compared(capsys, *pair)[0] == 0
    assert not caplog.records
    journal = pair[0] / "samples.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-2]))
    status, out, _ = compared(capsys, *pair)
    assert status == 0
    assert "2 missing" in out
    assert f"{journal} has changed since its summary was made" in caplog.text
    caplog.clear()
    assert compared(capsys, *pair)[0] == 0
    assert not caplog.records


def test_damaged_samples_are_not_compared(pair: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    journal = pair[1] / "samples.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join([*lines[:3], "{broken\n", *lines[3:]]))
    status, out, error = compared(capsys, *pair)
    assert (status, out) == (2, "")
    assert f"{journal}, line 4, is damaged" in error


def test_a_summary_from_before_the_hash_is_counted(pair: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    table = pair[0] / "summary.csv"
    table.write_text("".join(line.rpartition(",")[0] + "\n" for line in table.read_text().splitlines()))
    before = table.read_text()
    load_summary(pair[0])
    assert (table.read_text(), caplog.text) == (before, "")
    journal = pair[0] / "samples.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    assert load_summary(pair[0]).missing == 1
    assert "has changed since" in caplog.text


def test_names_are_text_in_every_table(pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "=x|<script>alert(1)</script>_%&#{}~^\\[a](b)`*"
    for run in pair:
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["run"]["model"]["model_path"] = name.replace("/", "")
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        (run / "summary.csv").unlink()
    assert compared(capsys, *pair)[0] == 0
    markdown, latex, csv = (
        (tmp_path / "comparison" / f"comparison.{kind}").read_text() for kind in ("md", "tex", "csv")
    )
    row = next(line for line in markdown.splitlines() if line.startswith("| =x"))
    assert r"=x\|&lt;script>alert(1)&lt;script>\_%&amp;#{}~^\\\[a](b)\`\*" in row
    assert r"=x|$<$script$>$alert(1)$<$script$>$\_\%\&\#\{\}\~{}\^{}\textbackslash{}[a](b)`*" in latex
    assert "'=x|<script>" in csv
    assert json.dumps(load_summary(pair[0]).model) == json.dumps(name.replace("/", ""))
    shutil.rmtree(tmp_path / "comparison")

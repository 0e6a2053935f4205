"""Which run is compared with which, and the command for more than a pair."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_runs import drawn_run, first_words

from evaluators.analysis.loading import load_summary
from evaluators.analysis.pairing import pair_up, run_folders
from evaluators.analysis.summary import summarise
from evaluators.compare import main
from srgen.errors import SRGenError


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, options in {
        "aime/base": {},
        "aime/srgen": {"srgen": True, "seed": 1},
        "aime/srgen-more": {"srgen": True, "seed": 2},
        "aime/short": {"srgen": True, "seed": 3, "k": 2},
        "amc/base": {"benchmark": "amc"},
        "amc/srgen": {"benchmark": "amc", "srgen": True, "seed": 4},
    }.items():
        summarise(drawn_run(folder / name, **({"questions": 12, "k": 4} | options)), first_words)  # type: ignore[arg-type]
    return folder


def names(folders: list[Path], root: Path) -> list[str]:
    return [str(folder.relative_to(root)) for folder in folders]


def test_patterns_find_runs_once_and_in_order(runs: Path) -> None:
    found = run_folders([str(runs / "aime" / "srgen"), str(runs / "**")])
    assert names(found, runs) == ["aime/srgen", "aime/base", "aime/short", "aime/srgen-more", "amc/base", "amc/srgen"]
    with pytest.raises(SRGenError, match="matches no run's folder"):
        run_folders([str(runs / "x*")])


def test_each_run_has_the_base_of_its_benchmark(runs: Path) -> None:
    found = run_folders([str(runs / "**")])
    listed = names(found, runs)
    pairs = pair_up([load_summary(run) for run in found], found)
    assert [(listed[pair.base], listed[pair.other]) for pair in pairs] == [
        ("aime/base", "aime/short"),
        ("aime/base", "aime/srgen"),
        ("aime/base", "aime/srgen-more"),
        ("amc/base", "amc/srgen"),
    ]
    assert [bool(pair.comparison) for pair in pairs] == [False, True, True, True]
    assert "another K (4 and 2)" in pairs[0].refusal


def test_the_command_compares_the_rest_and_says_what_it_refuses(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(runs / "**"), "--output_dir", str(tmp_path)]) == 1
    output = capsys.readouterr()
    assert output.out.count("Holm") >= 3
    assert output.err.count("\n") == 1
    assert "another K (4 and 2)" in output.err
    base, *others = (str(runs / "aime" / name) for name in ("base", "srgen", "srgen-more"))
    assert main([base, *others, "--output_dir", str(tmp_path)]) == 0
    assert (tmp_path / "comparison.csv").read_text().count("\n") == 3


def test_where_nothing_can_be_compared_the_reason_is_all_that_is_said(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(runs / "aime/base"), str(runs / "amc/base"), "--output_dir", str(tmp_path / "out")]) == 2
    assert "other questions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

"""Rates of choosers at equal tokens: by hand, and as compare prints them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from synthetic_runs import drawn_run, first_words

from evaluators.analysis.equal_tokens import common_budget, rates_within
from evaluators.analysis.summary import summarise
from evaluators.compare import main


def curves(rows: list[tuple[str, int, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["chooser", "k", "rate", "tokens"])


RICH = curves(
    [
        ("average", 1, 40.0, 100.0),
        *(("majority", k, 40.0 + 5 * k, 100.0 * k) for k in range(1, 9)),
        ("borda", 1, 40.0, 100.0),
        ("borda", 4, 70.0, 400.0),
        ("borda", 8, 72.0, 800.0),
        ("short_1", 1, 40.0, 100.0),
        ("short_1", 8, 60.0, 300.0),
        ("esc", 8, 66.0, 700.0),
        ("adaptive_consistency", 8, 66.0, 350.0),
    ]
)


def test_rates_lie_between_the_sizes_about_the_budget() -> None:
    assert rates_within(RICH, 550.0) == {
        "average": 40.0,
        "majority": pytest.approx(67.5),
        "borda": pytest.approx(70.75),
        "short_1": 60.0,
        "adaptive_consistency": 66.0,
    }
    assert rates_within(RICH, 800.0)["esc"] == 66.0
    assert rates_within(RICH, 99.0) == {}


def test_the_budget_is_that_of_the_run_with_the_fewest_tokens() -> None:
    poor = curves([("majority", 1, 50.0, 250.0), ("majority", 2, 55.0, 500.0)])
    assert common_budget([RICH, poor]) == 500.0
    assert common_budget([]) == 0.0
    assert rates_within(poor, 500.0) == {"majority": 55.0}


def test_compare_prints_a_column_for_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [drawn_run(tmp_path / name, questions=12, k=6, seed=seed) for seed, name in enumerate("ab")]
    runs.append(drawn_run(tmp_path / "c", questions=12, k=6, srgen=True, seed=2))
    for run in runs:
        summarise(run, first_words)
    status = main([str(runs[0]), str(runs[2]), str(runs[0]), str(runs[1]), "--output_dir", str(tmp_path / "out")])
    assert status == 0
    lines = capsys.readouterr().out.splitlines()
    (title,) = [index for index, line in enumerate(lines) if "generated tokens a question, for every run" in line]
    assert lines[title + 1].split()[:4] == ["chooser", "base", "K=6", "srgen"]
    table = {line.split()[0]: line.split()[1:] for line in lines[title + 3 :] if line}
    assert all(len(cells) == 3 for cells in list(table.values())[:5])
    budget = float(lines[title].split()[1].replace(",", ""))
    fewest = min(pd.read_csv(run / "choosers.csv").query("chooser == 'majority'")["tokens"].max() for run in runs)
    assert budget == pytest.approx(fewest, abs=0.5)

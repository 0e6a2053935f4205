"""The printed table of a run."""

from __future__ import annotations

from pathlib import Path

from synthetic_runs import drawn_run, first_words, sample, write_run

from evaluators.analysis.summary import summarise
from evaluators.presentation.run_table import final_table, number, p_value, signed


def test_missing_samples_are_said_with_their_denominator_and_bound(tmp_path: Path) -> None:
    samples = [sample("q0", 0, "7", "7"), sample("q0", 1, "8", "7")]
    table = final_table(summarise(write_run(tmp_path, samples, {"q0": "7", "q1": "5"}, k=2), first_words))
    assert "2 missing" in table
    assert "all 4 stay in the denominator" in " ".join(table.split())
    assert "upper bound" in table
    row = next(line for line in table.splitlines() if "Avg@2" in line)
    assert row.split()[1] == "25.0"
    assert row.split()[-1] == "75.0"


def test_a_complete_run_says_so_and_shows_no_bound(tmp_path: Path) -> None:
    samples = [sample("q0", index, "7", "7") for index in range(2)]
    table = final_table(summarise(write_run(tmp_path, samples, {"q0": "7"}, k=2), first_words))
    assert "all 2 samples answered" in table
    assert "upper bound" not in table


def test_both_standard_errors_are_labelled(tmp_path: Path) -> None:
    table = final_table(summarise(drawn_run(tmp_path, questions=6, k=4, srgen=True), first_words))
    assert all(len(line) <= 100 for line in table.splitlines())
    text = " ".join(table.split())
    assert "over new questions of the same kind" in text
    assert "over new samples of the same questions" in text
    for metric in ("Avg@4", "Cons@4", "Pass@4", "reflections a sample", "tokens"):
        assert metric in table


def test_numbers_for_people() -> None:
    assert number(float("nan")) == "-"
    assert number(float("inf")) == "infinite"
    assert number(1234.56) == "1,234.6"
    assert signed(2.04) == "+2.0"
    assert p_value(0.0001) == "< 0.001"
    assert p_value(0.25) == "0.250"

"""compare --at: the run whose samples cost less is given more of them."""

from __future__ import annotations

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from synthetic_runs import first_words, sample, write_run

from evaluators.analysis.comparison import EqualCost
from evaluators.analysis.equal_cost import with_equal_cost
from evaluators.analysis.paired import paired_estimate
from evaluators.analysis.summary import summarise
from evaluators.compare import compare_all, compare_pairs, main
from srgen.errors import SRGenError

RIGHT = {"base": [0, 2, 5, 8, 3, 1, 4], "srgen": [1, 2, 4, 4, 3, 2, 0]}


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Eight base samples of 100 tokens beside four SRGen samples of 150."""
    golds = {f"q{q}": "7" for q in range(7)}
    made = []
    for name, k, tokens in (("base", 8, 100), ("srgen", 4, 150)):
        rows = [
            sample(f"q{q}", i, "7" if i < RIGHT[name][q] else "8", "7", generated_tokens=tokens)
            for q in range(7)
            for i in range(k)
        ]
        made.append(write_run(tmp_path / name, rows, golds, k=k, srgen=name == "srgen"))
        summarise(made[-1], first_words)
    return made


def at(pair: list[Path], basis: str) -> EqualCost:
    (compared,) = compare_all(pair, any_k=True)
    assert compared.comparison
    found = with_equal_cost([compared.comparison], basis)[0].at  # type: ignore[arg-type]
    assert found
    return found


def passed(right: int, samples: int, k: int) -> float:
    """Pass@k by going through all subsets."""
    return float(np.mean([any(i < right for i in chosen) for chosen in combinations(range(samples), k)]))


def test_at_equal_tokens_the_cheaper_run_has_more_samples(pair: list[Path]) -> None:
    found = at(pair, "equal-tokens")
    assert (found.base.samples, found.other.samples) == (6, 4)
    assert found.base.tokens == found.other.tokens == 600
    first = np.array([passed(right, 8, 6) for right in RIGHT["base"]])
    second = np.array([passed(right, 4, 4) for right in RIGHT["srgen"]])
    difference = found.differences["Pass"]
    assert (difference.base, difference.other) == pytest.approx((100 * first.mean(), 100 * second.mean()))
    interval, p = paired_estimate(second - first)
    assert difference.interval == pytest.approx(100 * np.array(interval))
    assert difference.p == pytest.approx(p)


def test_at_equal_samples_all_that_is_recorded_counts(pair: list[Path]) -> None:
    found = at(pair, "equal-samples")
    assert (found.base.samples, found.other.samples) == (4, 4)
    expected = np.mean([passed(right, 8, 4) for right in RIGHT["base"]])
    assert found.differences["Pass"].base == pytest.approx(100 * expected)


def test_it_is_a_row_and_a_plot(pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert main([*map(str, pair), "--at", "equal-tokens", "--plot", "--output_dir", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "at equal tokens (600 generated a question): Cons@6 base " in said
    assert (tmp_path / "out" / "cost.png").is_file()
    row = next(csv.DictReader((tmp_path / "out" / "comparison.csv").open()))
    assert (row["at"], row["at_base_k"], row["at_other_k"]) == ("equal-tokens", "6", "4")
    assert (float(row["at_pass_p"]) <= 0.05) == (float(row["at_pass_low"]) > 0 or float(row["at_pass_high"]) < 0)
    assert "at equal tokens" in (tmp_path / "out" / "comparison.md").read_text()


def test_without_it_another_k_stays_an_obstacle(pair: list[Path]) -> None:
    with pytest.raises(SRGenError, match="another K"):
        compare_pairs(pair)

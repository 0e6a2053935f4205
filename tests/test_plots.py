"""Plots: which are drawn, of what, and that they tell the runs apart without colour."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic_runs import drawn_run, first_words

from evaluators.analysis.summary import summarise
from evaluators.compare import compare_pairs, main

pytest.importorskip("matplotlib")
from evaluators.presentation import plots


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pair")
    runs = [
        drawn_run(folder / "base", questions=12, k=6),
        drawn_run(folder / "srgen", questions=12, k=6, srgen=True, seed=1, shift=0.1),
    ]
    for run in runs:
        summarise(run, first_words)
    return runs


def test_every_plot_is_written_as_png_and_svg(pair: list[Path], tmp_path: Path) -> None:
    assert main([*map(str, pair), "--plot", "--output_dir", str(tmp_path)]) == 0
    for name in ("curves", "flips", "choosers", "entropy", "length"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()


def test_several_pairs_have_files_of_their_own(pair: list[Path], tmp_path: Path) -> None:
    other = drawn_run(tmp_path / "amc", questions=4, k=6, benchmark="amc")
    again = drawn_run(tmp_path / "amc again", questions=4, k=6, benchmark="amc")
    for run in (other, again):
        summarise(run, first_words)
    written = plots.plot_pairs(compare_pairs([*pair, other, again]), [*pair, other, again], tmp_path)
    assert len(written) == len(set(written)) == 10 + 8
    assert (tmp_path / "amc-2024-tiny-1B-curves.png").is_file()


def test_runs_of_one_benchmark_share_a_plot_and_keep_their_own(pair: list[Path], tmp_path: Path) -> None:
    slot = drawn_run(tmp_path / "slot", questions=12, k=6, seed=2)
    summarise(slot, first_words)
    runs = [pair[0], pair[1], pair[0], slot]
    comparisons = compare_pairs(runs)
    written = plots.plot_pairs(comparisons, runs, tmp_path)
    assert len(written) == len(set(written)) == 10 + 8 + 2
    assert {tmp_path / "srgen-curves.png", tmp_path / "slot-curves.png", tmp_path / "methods.svg"} <= set(written)
    sides = [comparisons[0].base, comparisons[0].other, comparisons[1].other]
    figure = plots.accuracy_by_tokens(sides, ["base", "srgen", "slot"])
    assert [axes.get_title() for axes in figure.axes] == ["base", "srgen", "slot"]
    (legend,) = figure.legends
    assert "majority" in [text.get_text() for text in legend.get_texts()]


def test_curves_start_at_the_average_and_end_at_the_table(pair: list[Path]) -> None:
    comparison = compare_pairs(pair)[0]
    figure = plots.curves(comparison)
    cons = figure.axes[0].lines[0].get_ydata()
    assert len(cons) == 6
    assert cons[0] == pytest.approx(comparison.differences["Avg"].base)
    assert cons[-1] == pytest.approx(comparison.differences["Cons"].base)


def test_every_axis_is_labelled_with_its_unit(pair: list[Path]) -> None:
    for name, figure in plots.plots(compare_pairs(pair)[0], *pair).items():
        labels = [figure.axes[0].get_ylabel(), *(axes.get_xlabel() for axes in figure.axes)]
        assert all(labels), name
        unit = {"curves": "%", "choosers": "tokens", "flips": "points", "entropy": "nats", "length": "tokens"}[name]
        assert any(unit in label for label in labels), name


def test_runs_differ_without_colour(pair: list[Path]) -> None:
    axes = plots.curves(compare_pairs(pair)[0]).axes[0]
    handles = axes.get_legend_handles_labels()[0]
    assert len({handle.get_linestyle() for handle in handles}) == 2
    assert len({handle.get_marker() for handle in handles}) == 2
    keys = plots.flips(compare_pairs(pair)[0]).axes[0].get_legend().get_patches()
    assert len({key.get_hatch() for key in keys}) == len({key.get_facecolor() for key in keys}) == 3
    assert abs(_lightness(plots.BASE) - _lightness(plots.OTHER)) > 0.2


def _lightness(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_flips_show_each_question_once(pair: list[Path]) -> None:
    comparison = compare_pairs(pair)[0]
    heights = [bar.get_height() for container in plots.flips(comparison).axes[0].containers for bar in container]
    rates = [(classes == 0).mean(axis=1) for classes in (comparison.base_classes, comparison.other_classes)]
    assert sorted(heights) == pytest.approx(sorted(100 * (rates[1] - rates[0])))


@pytest.mark.filterwarnings("error")
def test_plots_without_their_recordings_are_left_out_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [drawn_run(tmp_path / name, questions=3, k=1, seed=seed) for seed, name in enumerate("ab")]
    for run in runs:
        summarise(run, first_words)
        (run / "samples.jsonl").unlink()
    assert main([*map(str, runs), "--plot", "--output_dir", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "no plot of entropy: it needs reflections.jsonl" in printed
    assert "no plot of length" in printed
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == {"curves", "flips", "choosers"}


def test_one_sample_a_question_has_error_bars(tmp_path: Path) -> None:
    runs = [drawn_run(tmp_path / name, questions=5, k=1, seed=seed) for seed, name in enumerate("ab")]
    for run in runs:
        summarise(run, first_words)
    assert len(plots.curves(compare_pairs(runs)[0]).axes[0].containers) == 2


def test_lengths_are_shares_of_samples_up_to_each() -> None:
    lengths = [np.array([1.0, 5.0, 3.0]), np.array([2.0])]
    axes = plots.response_length(lengths, ("base", "SRGen")).axes[0]
    assert axes.lines[0].get_xdata().tolist() == [1, 3, 5]
    assert axes.lines[0].get_ydata().tolist()[-1] == 100


def test_missing_matplotlib_is_one_sentence(
    pair: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "evaluators.presentation.plots", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([*map(str, pair), "--plot", "--output_dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "error: plots need matplotlib: run `pip install -e '.[report]'` in the project's clone\n"
    )

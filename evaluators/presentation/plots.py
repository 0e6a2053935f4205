"""Pictures of a comparison, readable in grey and by colour-blind eyes. Needs the extra `report` (matplotlib)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluators.analysis import metrics
from evaluators.analysis.bounded_mean import mean_intervals
from evaluators.analysis.comparison import Comparison, EqualCost, Flip
from evaluators.analysis.metrics import FloatArray
from evaluators.analysis.summary_rows import Summary
from evaluators.analysis.weighted_votes import sizes
from evaluators.presentation.comparison_remarks import side_names
from evaluators.records.reading import read_lines, read_reflections
from evaluators.records.schema import REFLECTIONS_FILE, SAMPLES_FILE
from srgen.errors import SRGenError
from srgen.extras import install

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

try:
    import matplotlib
    from matplotlib import figure as figures
    from matplotlib import patches, ticker
except ImportError:
    raise SRGenError(f"plots need matplotlib: {install('report')}") from None

# Okabe and Ito's blue, orange and grey differ in lightness too; lines differ in dash, bars in hatching.
BASE, OTHER, NEUTRAL = "#0072B2", "#E69F00", "#D0D0D0"
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "srgen",
}
_SIDES = ((BASE, "-", "o"), (OTHER, "--", "s"))
_FLIPS: dict[Flip, tuple[str, str]] = {"gained": (BASE, ""), "lost": (OTHER, "////"), "unchanged": (NEUTRAL, "....")}
NEEDS = {
    "length": f"both runs' {SAMPLES_FILE}",
    "entropy": f"{REFLECTIONS_FILE} of the second run (--record_entropy)",
}
"""What the plots that may be left out are drawn from."""
_DASHES, _MARKERS = ("-", "--", ":", "-."), ("o", "s", "^", "D", "v", "P", "X")
_NAMED_QUESTIONS = 60
"""Up to so many questions, each bar carries its question's id."""


def plot_pairs(comparisons: Sequence[Comparison], runs: Sequence[Path], directory: Path) -> list[Path]:
    """Write every plot of every pair as PNG and SVG; returns the files.

    runs: base, other, base, other, ... Where a model's runs of a benchmark make several pairs, all of them also share
    one plot, `methods`.
    """
    written = []
    groups: dict[str, dict[Path, Summary]] = {}
    for index, comparison in enumerate(comparisons):
        pair = runs[2 * index], runs[2 * index + 1]
        sides = dict(zip(pair, (comparison.base, comparison.other), strict=True))
        groups.setdefault(f"{comparison.base.benchmark}-{comparison.model}", {}).update(sides)
    several = len(groups) > 1
    for index, comparison in enumerate(comparisons):
        pair = runs[2 * index], runs[2 * index + 1]
        group = f"{comparison.base.benchmark}-{comparison.model}"
        other = pair[1] if pair[1].is_dir() else pair[1].parent
        stem = [group] * several + [other.name] * (len(groups[group]) > 2)
        drawn = plots(comparison, *pair)
        for name in NEEDS.keys() - drawn.keys():
            print(f"no plot of {name}: it needs {NEEDS[name]}")
        for name, figure in drawn.items():
            written += _save(figure, directory / _file_name("-".join([*stem, name])))
    for group, members in groups.items():
        if len(members) > 2:
            with matplotlib.rc_context(_STYLE):
                figure = accuracy_by_tokens(list(members.values()), [run.method for run in members.values()])
            written += _save(figure, directory / _file_name("-".join([group] * several + ["methods"])))
    return written


def plots(comparison: Comparison, base: Path, other: Path) -> dict[str, Figure]:
    """The plots by name; those whose recordings the runs lack are left out."""
    with matplotlib.rc_context(_STYLE):
        drawn = {"curves": curves(comparison), "flips": flips(comparison)}
        if comparison.at:
            drawn["cost"] = equal_cost(comparison, comparison.at)
        if comparison.base.curves is not None and comparison.other.curves is not None:
            sides = [comparison.base, comparison.other]
            drawn["choosers"] = accuracy_by_tokens(sides, side_names([comparison]))
        lengths = [generated_tokens(run) for run in (base, other)]
        if all(len(side) for side in lengths):
            drawn["length"] = response_length(lengths, side_names([comparison]))
        reflections = read_reflections(other if other.is_dir() else other.parent)
        if reflections:
            drawn["entropy"] = trigger_entropy(reflections)
        return drawn


def curves(comparison: Comparison) -> Figure:
    """Cons@k and Pass@k against k for both runs, with 95 % bands over new questions."""
    figure = figures.Figure(figsize=(9, 4), layout="constrained")
    names = side_names([comparison])
    panels = figure.subplots(1, 2, sharey=True)
    for axes, name, curve in zip(panels, ("Cons", "Pass"), (metrics.cons_curve, metrics.pass_curve), strict=True):
        sides = (comparison.base_classes, comparison.other_classes)
        for label, classes, style in zip(names, sides, _SIDES, strict=True):
            _band(axes, curve(classes), label, style)
        axes.set(xlabel="k (samples per question)", title=f"{name}@k")
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
        if comparison.samples == 1:
            axes.set_xlim(0.5, 1.5)
        axes.legend(loc="lower right")
    panels[0].set(ylabel="accuracy (%)", ylim=(0, 100))
    _title(figure, comparison)
    return figure


def equal_cost(comparison: Comparison, at: EqualCost) -> Figure:
    """Cons@k and Pass@k of all recorded samples against what they cost, with 95 % bands and the common cost marked."""
    figure = figures.Figure(figsize=(9, 4), layout="constrained")
    names = side_names([comparison])
    panels = figure.subplots(1, 2, sharey=True)
    by_tokens = at.basis == "equal-tokens"
    for axes, name, curve in zip(panels, ("Cons", "Pass"), (metrics.cons_curve, metrics.pass_curve), strict=True):
        for label, side, style in zip(names, (at.base, at.other), _SIDES, strict=True):
            unit = side.tokens_per_sample if by_tokens else 1.0
            _band(axes, curve(side.classes), f"{label}, k up to {side.classes.shape[1]}", style, unit)
            axes.axvline(side.samples * unit, color=style[0], linestyle=style[1], linewidth=0.8, alpha=0.7)
        axes.set(xlabel="generated tokens a question" if by_tokens else "k (samples per question)", title=f"{name}@k")
        axes.legend(loc="lower right")
    panels[0].set(ylabel="accuracy (%)", ylim=(0, 100))
    _title(figure, comparison)
    return figure


def accuracy_by_tokens(runs: Sequence[Summary], names: Sequence[str]) -> Figure:
    """Accuracy against generated tokens a question: every chooser's curve, a panel for each run."""
    figure = figures.Figure(figsize=(max(11.0, 3.2 * len(runs) + 3), 4.8), layout="constrained")
    panels = figure.subplots(1, len(runs), sharex=True, sharey=True, squeeze=False)[0]
    # One look for each chooser, in all panels: lines differ in colour, dash and marker.
    tables = [run.curves for run in runs]
    choosers = list(dict.fromkeys(name for table in tables if table is not None for name in table["chooser"]))
    colours = matplotlib.colormaps["cividis"](np.linspace(0, 0.95, len(choosers)))
    looks = {
        name: {"color": colours[i], "linestyle": _DASHES[i % len(_DASHES)], "marker": _MARKERS[i % len(_MARKERS)]}
        for i, name in enumerate(choosers)
    }
    shown = {}
    for axes, label, table in zip(panels, names, tables, strict=True):
        axes.set(xlabel="generated tokens a question", title=label)
        if table is None:
            continue
        for name, curve in table.groupby("chooser", sort=False):
            points = curve[curve["k"].isin(sizes(int(curve["k"].max())))] if len(curve) > 1 else curve
            (shown[name],) = axes.plot(
                points["tokens"], points["rate"], markersize=4, linewidth=1.2, **looks[str(name)]
            )
        # Runs whose journal is gone do not know their tokens: all are 0 then.
        if (table["tokens"] > 0).any():
            axes.set(xscale="log")
            axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
            axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    panels[0].set(ylabel="accuracy (%)")
    figure.legend(shown.values(), shown.keys(), loc="outside right center", fontsize=8, frameon=False)
    first = runs[0]
    figure.suptitle(f"{first.model}, {first.benchmark}: {first.questions} questions, K = {first.k}")
    return figure


def _band(axes: Axes, values: FloatArray, label: str, style: tuple[str, str, str], unit: float = 1.0) -> None:
    """A curve [Q, K] over k = 1..K, each worth `unit` on the axis."""
    colour, dash, marker = style
    ks = unit * np.arange(1, values.shape[1] + 1)
    ends = 100 * np.stack(mean_intervals(values.T), axis=1)
    every = max(1, len(ks) // 8)
    if len(ks) == 1:
        half = np.abs(ends.T - 100 * values.mean())
        axes.errorbar(
            ks + (0.04 if colour == OTHER else 0),
            100 * values.mean(axis=0),
            yerr=half,
            color=colour,
            fmt=marker,
            capsize=5,
            label=label,
        )
        return
    line: dict[str, Any] = {"color": colour, "linestyle": dash, "marker": marker, "markersize": 4, "markevery": every}
    axes.plot(ks, 100 * values.mean(axis=0), label=label, **line)
    axes.fill_between(ks, ends[:, 0], ends[:, 1], color=colour, alpha=0.18, linewidth=0)
    for end in ends.T:
        axes.plot(ks, end, color=colour, linestyle=dash, linewidth=0.7)


def flips(comparison: Comparison) -> Figure:
    """Each question's change in accuracy, sorted, marked by what became of its vote."""
    change = 100 * (metrics.accuracies(comparison.other_classes) - metrics.accuracies(comparison.base_classes))
    votes = np.array(comparison.flips)
    order = np.lexsort((votes, change))
    named = len(order) <= _NAMED_QUESTIONS
    figure = figures.Figure(figsize=(max(7.0, 0.22 * len(order)) if named else 9, 4.2), layout="constrained")
    axes = figure.subplots()
    outcome = votes[order]
    legend = []
    for kind, (colour, hatch) in _FLIPS.items():
        places = np.flatnonzero(outcome == kind)
        heights = change[order][places]
        edge: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.4, "hatch": hatch} if named else {}
        axes.bar(places, heights, color=colour, width=0.8 if named else 1.0, **edge)
        legend.append(patches.Patch(facecolor=colour, label=f"vote {kind} ({len(places)})", **edge))
        axes.plot(places[heights == 0], np.zeros((heights == 0).sum()), ".", color=colour, markersize=3)
    axes.axhline(0, color="black", linewidth=0.8)
    names = side_names([comparison])
    axes.set(
        ylabel=f"accuracy, {names[1]} less {names[0]}\n(percentage points)",
        xlabel="questions, by change",
        xlim=(-1, len(order)),
        ylim=(min(-10.0, 1.1 * float(change.min())), max(10.0, 1.1 * float(change.max()))),
    )
    if named:
        axes.set_xticks(range(len(order)), [comparison.question_ids[q] for q in order], rotation=90, fontsize=7)
    axes.legend(handles=legend, loc="upper left")
    _title(figure, comparison)
    return figure


def trigger_entropy(reflections: Sequence[Mapping[str, Any]]) -> Figure:
    """Distribution of the entropy at triggers, before and after the correction."""
    figure = figures.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    before = np.array([row["entropy_before"] for row in reflections], dtype=float)
    after = np.array([row["entropy_after"] for row in reflections], dtype=float)
    bins = np.linspace(0, max(before.max(), after.max(), 1e-6), 41).tolist()
    for values, label, (colour, dash, _), hatch in zip(
        (before, after), ("before", "after"), _SIDES, ("", "////"), strict=True
    ):
        text = f"{label} reflection (median {np.median(values):.2f} nats)"
        axes.hist(values, bins, histtype="stepfilled", color=colour, alpha=0.35, hatch=hatch, label=text)
        axes.hist(values, bins, histtype="step", color=colour, linestyle=dash, linewidth=1.4)
        axes.axvline(float(np.median(values)), color=colour, linestyle=dash, linewidth=1)
    axes.set(xlabel="entropy of the next token (nats)", ylabel="reflections", title=f"{len(before):,} reflections")
    axes.legend()
    return figure


def response_length(lengths: Sequence[FloatArray], names: Sequence[str]) -> Figure:
    """Share of samples up to each length, for both runs."""
    figure = figures.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for tokens, name, (colour, dash, _) in zip(lengths, names, _SIDES, strict=True):
        share = 100 * np.arange(1, len(tokens) + 1) / len(tokens)
        label = f"{name} (median {np.median(tokens):,.0f} tokens)"
        axes.step(np.sort(tokens), share, where="post", color=colour, linestyle=dash, linewidth=1.8, label=label)
    axes.set(xlabel="response length (generated tokens)", ylabel="samples at most so long (%)", ylim=(0, 101))
    axes.set_xlim(left=0)
    axes.legend(loc="lower right")
    return figure


def generated_tokens(run: Path) -> FloatArray:
    """Length of every sample of a run in tokens; empty where only its CSVs are at hand."""
    journal = (run if run.is_dir() else run.parent) / SAMPLES_FILE
    return np.array([row["generated_tokens"] for row in read_lines(journal)], dtype=float)


def _save(figure: Figure, stem: Path) -> list[Path]:
    """The figure as PNG and SVG."""
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _title(figure: Figure, comparison: Comparison) -> None:
    questions, samples = comparison.base_classes.shape
    figure.suptitle(f"{comparison.model}, {comparison.base.benchmark}: {questions} questions, K = {samples}")


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.@-]+", "_", text.strip("-"))

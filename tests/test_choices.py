"""Choosers in a run's tables: new columns at the end, dashes without signals, and summaries from before they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evaluators.analysis.choices import NAMES
from evaluators.analysis.loading import load_summary
from evaluators.analysis.summary import summarise
from evaluators.compare import main
from evaluators.records.schema import CHOOSERS_CSV, SAMPLES_FILE, SIGNALS_FILE, SUMMARY_CSV, Sample
from evaluators.records.signals import rows_of, summarised
from tests.synthetic_runs import first_words, lines, sample, write_run

K = 6


def run(directory: Path, *, signals: bool, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    golds = {f"q{i}": str(i) for i in range(12)}
    samples: list[Sample] = []
    data = b""
    for key, gold in golds.items():
        for index in range(K):
            answer = gold if rng.random() < 0.6 else rng.choice(["x", "y", None])
            tokens = int(rng.integers(4, 40))
            part = rng.normal(-4 if answer == gold else -2, 0.1, (tokens, 4)).astype("<f2").tobytes()
            changes = {"signals": len(data) // 8, "confidence": summarised(rows_of(part))} if signals else {}
            samples.append(sample(key, index, answer, gold, generated_tokens=tokens, **changes))
            data += part
    write_run(directory, samples, golds, k=K)
    if signals:
        (directory / SIGNALS_FILE).write_bytes(data)
    return directory


def test_columns_come_last_and_come_back(tmp_path: Path) -> None:
    directory = run(tmp_path / "a", signals=True)
    made = summarise(directory, first_words)
    header = (directory / SUMMARY_CSV).read_text().splitlines()[0].split(",")
    first = header.index("self_certainty@k")
    assert header[first - 1] == "read_by_neither"
    assert [name for name in header[first:] if name.endswith("@k")] == [f"{name}@k" for name in NAMES]
    read = load_summary(directory)
    assert read.choices == pytest.approx(made.choices, abs=0.06)
    # Certainty tells right from wrong here, so choosing by it solves what anything solves.
    assert read.choices["self_certainty@k"] == pytest.approx(made.pass_, abs=0.06)
    assert read.curves is not None
    majority = read.curves[read.curves["chooser"] == "majority"]
    assert list(majority["k"]) == list(range(1, K + 1))
    assert majority["rate"].iloc[-1] == pytest.approx(made.cons, abs=0.01)


def test_without_signals_certainties_are_empty(tmp_path: Path) -> None:
    made = summarise(run(tmp_path / "a", signals=False), first_words)
    known = {name for name, value in made.choices.items() if not np.isnan(value)}
    rules = ("short_1", "short_3", "esc", "adaptive_consistency")
    assert known == {f"{rule}{end}" for rule in rules for end in ("@k", "_tokens")}


def test_runs_compare_with_the_columns_that_they_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = run(tmp_path / "old", signals=False), run(tmp_path / "new", signals=True, seed=1)
    for directory in (old, new):
        summarise(directory, first_words)
    # As the first version left it: no choosers at all, and lines that know nothing of signals.
    text = (old / SUMMARY_CSV).read_text().splitlines()
    count = text[0].split(",").index("journal_hash")
    (old / SUMMARY_CSV).write_text("".join(",".join(line.split(",")[:count]) + "\n" for line in text))
    (old / CHOOSERS_CSV).unlink()
    new_fields = ("signals", "confidence", "methods")
    rows = [json.loads(line) for line in (old / SAMPLES_FILE).read_text().splitlines()]
    (old / SAMPLES_FILE).write_text(lines([{k: v for k, v in row.items() if k not in new_fields} for row in rows]))
    assert main([str(old), str(new), "--output_dir", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    (row,) = [line.split() for line in shown.splitlines() if line.startswith("borda ")]
    assert row[1] == "-"

"""`from evaluators import evaluate, load_runs, compare`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluators import compare, evaluate, load_runs, study_table
from srgen.errors import ConfigError

SMALL: dict[str, Any] = {"average": 2, "eval_samples": 3, "max_new_tokens": 12, "device": "cpu"}


@pytest.mark.model
def test_a_notebook_evaluates_looks_and_compares(
    demo_model: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = SMALL | {"output_dir": str(tmp_path)}
    base = evaluate(benchmark="mini", model="demo", **options)
    srgen = evaluate(benchmark="mini", model="demo", method="srgen", **options)
    assert "6 of 6 samples" in capsys.readouterr().err, "progress is shown"
    assert len(srgen.samples) == 6
    assert {"question_id", "response", "correct", "reflections"} <= set(srgen.samples.columns)
    assert len(srgen.questions) == 3
    assert srgen.summary.loc[0, "method"] == "srgen"
    assert "3 questions x 2 samples" in repr(srgen)
    again = evaluate(benchmark="mini", model="demo", method="srgen", **options)
    assert again.directory == srgen.directory
    assert sorted(load_runs(tmp_path / "**")["method"]) == ["base", "srgen"]
    compared = compare(base, srgen)
    assert compared.table.loc[0, "other_method"] == "srgen"
    assert "Avg@2" in repr(compared)
    assert not compared.refused


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"benchmark": "mimi"}, "unknown benchmark 'mimi'; did you mean 'mini'?"),
        ({"avrage": 2}, "unknown parameter 'avrage'; did you mean 'average'?"),
        ({"method": "srgne"}, "unknown method 'srgne'; did you mean 'srgen'?"),
        ({"do_sample": "yes"}, "do_sample must be True or False"),
        ({"model": "./nowhere"}, "there is no model folder"),
    ],
)
def test_mistakes_are_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        evaluate(**({"benchmark": "mini", "model": "demo"} | arguments))


def test_a_studys_table_is_a_frame() -> None:
    frame = study_table(Path(__file__).resolve().parents[1] / "configs" / "studies" / "paper.yaml")
    assert len(frame) == 32
    assert frame.loc[1, "avg@k_published"] == 22.0


def test_the_names_are_there_whatever_was_imported_before_and_cost_nothing() -> None:
    code = (
        "import sys, evaluators; print({'torch', 'pandas', 'numpy', 'yaml'} & set(sys.modules));"
        "import evaluators.compare, evaluators.report;"
        "from evaluators import compare, evaluate; print(callable(compare), callable(evaluate))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "set()\nTrue True\n"

"""STUDY.yaml: cells, names, sweeps, mistakes; the studies of configs/studies."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from synthetic_runs import drawn_run, first_words

from evaluators.analysis.comparison import METRICS
from evaluators.analysis.study import StudyRow, compare_rows
from evaluators.analysis.summary import summarise
from evaluators.cli import run_config
from evaluators.demo import STUDY as DEMO_STUDY
from evaluators.presentation.study_tables import csv_table, latex_table, markdown_table, study_records, text_table
from evaluators.settings.sources import read_settings
from evaluators.study.__main__ import main
from evaluators.study.reading import Study, read_study
from srgen.errors import ConfigError

STUDIES = Path(__file__).resolve().parents[1] / "configs" / "studies"
SMALL: dict[str, Any] = {
    "models": {"a": {"model_path": "org/a"}},
    "benchmarks": ["aime:2024", "hmmt"],
    "methods": {"base": {}, "srgen": {"method": "srgen"}},
    "average": 5,
}


def study_of(tmp_path: Path, **sections: Any) -> Study:
    return read_study(write(tmp_path, **sections))


def write(tmp_path: Path, **sections: Any) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL | sections, sort_keys=False))
    return path


def names(study: Study) -> list[str]:
    return [cell.name for cell in study.cells]


def test_cells_are_models_times_benchmarks_times_methods(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    assert names(study) == ["a/aime:2024/base", "a/aime:2024/srgen", "a/hmmt/base", "a/hmmt/srgen"]
    assert {cell.config.average for cell in study.cells} == {5}
    assert [cell.config.srgen is not None for cell in study.cells] == [False, True, False, True]
    assert [cell.questions for cell in study.cells] == [30] * 4


def test_a_printed_command_describes_the_same_run(tmp_path: Path) -> None:
    path = write(tmp_path, settings={"system_prompt": "Say 'it' -- briefly.", "temperature": 0.7, "parallel": True})
    for cell in read_study(path).cells:
        program, dash_m, module, name, *arguments = shlex.split(cell.command)
        assert (program, dash_m, module, name) == ("python", "-m", "evaluators", cell.family.name)
        assert run_config(cell.family, read_settings(cell.family, arguments)) == cell.config


def test_a_list_is_a_sweep_and_a_grid_is_all_combinations(tmp_path: Path) -> None:
    methods = {
        "base": {},
        "T": {"method": "srgen", "times": [1, 3]},
        "g": {"method": "srgen", "grid": {"lr": [0.1, 0.2], "times": [1, 2]}},
    }
    study = study_of(tmp_path, methods=methods, benchmarks=["hmmt"])
    assert [cell.method for cell in study.cells] == [
        *("base", "T-times=1", "T-times=3"),
        *("g-lr=0.1-times=1", "g-lr=0.1-times=2", "g-lr=0.2-times=1", "g-lr=0.2-times=2"),
    ]
    assert [cell.config.srgen.times for cell in study.cells if cell.config.srgen] == [1, 3, 1, 2, 1, 2]


def test_a_common_sweep_makes_no_cells_where_it_has_no_effect(tmp_path: Path) -> None:
    study = study_of(tmp_path, benchmarks=["hmmt"], grid={"times": [1, 3], "temperature": [0.6, 1.0]})
    assert [cell.method for cell in study.cells] == [
        *("base-temperature=0.6", "base-temperature=1"),
        *(f"srgen-times={t}-temperature={x}" for t in (1, 3) for x in ("0.6", "1")),
    ]
    assert len({cell.variant for cell in study.cells}) == 2, "each is compared with the base of its own temperature"


def test_only_takes_patterns_and_parts(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    assert [cell.name for cell in study.chosen(["*/hmmt/*"])] == ["a/hmmt/base", "a/hmmt/srgen"]
    assert [cell.name for cell in study.chosen(["2024/b", "*srgen"])] == [
        *("a/aime:2024/base", "a/aime:2024/srgen", "a/hmmt/srgen"),
    ]
    with pytest.raises(ConfigError, match="unknown cell 'a/hmmt/srge_'; did you mean 'a/hmmt/srgen'"):
        study.chosen(["a/hmmt/srge_"])


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"model": {}}, "unknown key 'model' in .*small.yaml; did you mean 'models'?"),
        ({"temperature": 0.6}, "unknown key 'temperature' in .*; it belongs under `settings`"),
        ({"settings": {"temprature": 1}}, "unknown parameter 'temprature' in settings; did you mean 'temperature'?"),
        ({"benchmarks": ["amie:2024"]}, "unknown benchmark 'amie'; did you mean 'aime'?"),
        ({"benchmarks": ["aime:2042"]}, "unknown version '2042' of aime"),
        ({"benchmarks": ["hmmt", "hmmt"]}, "benchmarks names 'hmmt' twice"),
        ({"methods": {"s": {"method": "srgne"}}}, "unknown method 'srgne'; did you mean 'srgen'?"),
        ({"methods": {"s": {"times": 3}}}, "methods.s does not say which method it is"),
        (
            {"methods": {"g": {"method": "srgen", "grid": {"tmes": [1]}}}},
            "unknown parameter 'tmes' in methods.g; did you mean 'times'?",
        ),
        ({"grid": {"lrr": [1]}}, "unknown parameter 'lrr' in settings; did you mean 'lr'?"),
        (
            {"methods": {"x": {"method": "srgen", "times": [1]}, "x-times=1": {"method": "srgen", "times": 2}}},
            "two cells have the name 'a/aime:2024/x-times=1'",
        ),
        (
            {"methods": {"base": {}, "b": {"method": "base"}}},
            "a/aime:2024/base and a/aime:2024/b are one and the same run",
        ),
        ({"methods": {"srgen": {"times": 0}}}, "a/aime:2024/srgen: times must be at least 1"),
        ({"settings": {"run_name": "x"}}, "settings cannot set run_name"),
        ({"models": {}}, "has no models"),
        ({"published": {"b": {}}}, "unknown model 'b' in published"),
        ({"published": {"a": {"hmmt": {"base": [1, 2]}}}}, r"must be \[Avg, Cons, Pass\] in percent"),
    ],
)
def test_mistakes_are_one_sentence_with_the_nearest_name(
    tmp_path: Path, sections: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, **sections)
    with pytest.raises(ConfigError, match=sentence):
        read_study(path)
    assert main([str(path), "--dry_run"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_name_that_stands_twice_is_not_swallowed_by_yaml(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("models: {a: {model_path: b}}\nbenchmarks: [mini]\nmethods:\n  base: {}\n  base: {}\n")
    with pytest.raises(ConfigError, match="line 5 gives 'base' a second time"):
        read_study(path)


def test_the_papers_table_is_printed_without_any_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(STUDIES / "paper.yaml"), "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("python -m evaluators ") == 32
    assert "22.0 (+7.4)   23.3 (+16.6)  40.0 (+0.0)" in printed
    readme = Path(__file__).resolve().parents[2] / "shared" / "seeds" / "srgen-readme.md"
    if readme.exists():
        rows = [
            line for line in readme.read_text(errors="replace").splitlines() if "**(" in line and line.count("|") == 9
        ]
        assert len(rows) == 16
        rates = [[cell.split()[0] for cell in row.split("|")[3:9]] for row in rows]
        published = list(read_study(STUDIES / "paper.yaml").published.values())
        ours = [
            pair
            for base, srgen in zip(published[::2], published[1::2], strict=True)
            for pair in zip(base, srgen, strict=True)
        ]
        assert [float(rate) for row in rates for rate in row] == [rate for pair in ours for rate in pair]


@pytest.mark.parametrize(
    ("file", "cells"), [(STUDIES / "ablation.yaml", 22), (STUDIES / "gpu.yaml", 6), (DEMO_STUDY, 3)]
)
def test_the_other_studies_are_sound(file: Path, cells: int) -> None:
    assert len(read_study(file).cells) == cells


def test_below_the_table_stand_the_verdicts_and_what_differs_besides_the_method_each_once(tmp_path: Path) -> None:
    made = {
        "base": drawn_run(tmp_path / "base", questions=40, k=4, seed=1),
        "better": drawn_run(tmp_path / "better", questions=40, k=4, seed=2, shift=0.4, srgen=True),
        "hotter": drawn_run(tmp_path / "hotter", questions=40, k=4, seed=3, srgen=True, temperature=0.9),
    }
    for method in ("better", "hotter"):
        file = made[method] / "config.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"versions": {"torch": "9.9"}}))
    rows = compare_rows(
        [
            StudyRow(
                model="m",
                benchmark="aime",
                method=method,
                samples=4,
                summary=summarise(folder, first_words),
                directory=folder,
            )
            for method, folder in made.items()
        ]
    )
    lines = text_table(rows).splitlines()
    assert max(map(len, lines)) <= 100
    long = [
        replace(row, method=f"{row.method}-adaptive_entropy_K=2.5-times=3", published=(1.0, 2.0, 3.0)) for row in rows
    ]
    assert max(map(len, text_table(long).splitlines())) <= 100
    below = " ".join(" ".join(lines).split())
    assert "m/aime/better: SRGen is better on these questions (p " in below and ", by Holm)" in below
    assert "m/aime/hotter: not settled: " in below
    assert below.count("besides the method, the version of torch differs: none and 9.9") == 1
    assert "m/aime/better and 1 more: besides the method, the version of torch differs" in below
    assert "m/aime/hotter: the sampling differs: " in below
    records = {record["method"]: record["verdict"] for record in study_records(rows)}
    assert records["base"] == "" and records["better"].startswith("SRGen is better")


def test_a_table_of_nothing_has_all_its_forms() -> None:
    rows = [StudyRow(model="a", benchmark="b", method="base", samples=3, published=(1.0, None, 3.0), remark="a_b")]
    for text in (text_table(rows), markdown_table(rows), latex_table(rows)):
        assert "Avg@3" in text
    assert csv_table(rows).splitlines()[1].startswith("a,b,base,,3,")
    assert [rows[0].published_rate(metric) for metric in METRICS] == [1.0, None, 3.0]
    assert r"a\_b" not in latex_table(rows), "a remark is a comment there"

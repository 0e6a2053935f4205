"""Every benchmark reads every public layout of its fields, from every kind of local file."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from benchmark_rows import GPQA_ROWS, LAYOUTS, Layout
from hypothesis import given
from hypothesis import strategies as st

from evaluators.benchmarks.benchmark import Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.fields import integer_text, last_boxed, whole_number
from evaluators.benchmarks.questions import load_questions
from evaluators.benchmarks.registry import benchmark_named, benchmarks, listing
from evaluators.gpqa import OPTIONS, option_order
from evaluators.gsm8k import final_number

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
FORMATS = ("jsonl", "json", "csv", "parquet", "folder")


def write(folder: Path, rows: list[dict[str, Any]], form: str, *, split: str, config: str | None) -> Path:
    path = folder / f"rows.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    elif form == "json":
        path.write_text(json.dumps(rows))
    elif form == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif form == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        return hub_folder(folder / "repository", rows, split=split, config=config)
    return path


def hub_folder(folder: Path, rows: list[dict[str, Any]], *, split: str, config: str | None) -> Path:
    """A folder as the hub's repositories are laid out: a README that declares configurations, and data/*.parquet."""
    name = config or "default"
    files = f"data/{split}-00000-of-00001.parquet"
    other = f"data/other-{split}.parquet"
    (folder / "data").mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / files)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"unrelated": 1}]), folder / other)
    declared = [(name, files), ("other", other)]
    blocks = "".join(
        f"- config_name: {config_name}\n  data_files:\n  - split: {split}\n    path: {path}\n"
        for config_name, path in (declared if config else declared[:1])
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{blocks}---\n# A copy\n")
    return folder


def load(benchmark: str, path: Path, version: str | None = None, seed: int = 42) -> list[Question]:
    data = DataConfig(benchmark=benchmark, version=version, dataset_path=str(path))
    return load_questions(benchmark_named(benchmark), data, seed)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.benchmark}-{layout.name}")
def test_every_layout_loads_from_every_kind_of_file(layout: Layout, form: str, tmp_path: Path) -> None:
    benchmark = benchmark_named(layout.benchmark)
    source = benchmark.versions[layout.version or next(iter(benchmark.versions))]
    path = write(tmp_path, layout.rows, form, split=source.split, config=source.config)
    questions = load(layout.benchmark, path, layout.version)
    assert [question.gold for question in questions] == layout.golds
    problems = [{k.lower(): v for k, v in row.items()} for row in layout.rows]
    assert [q.prompt for q in questions] == [row.get("problem", row.get("question")) for row in problems]
    assert {question.kind for question in questions} == {benchmark.kind}
    json.dumps([dict(question.metadata) for question in questions])


@pytest.mark.parametrize("form", FORMATS)
def test_gpqa_loads_from_every_kind_of_file(form: str, tmp_path: Path) -> None:
    path = write(tmp_path, GPQA_ROWS, form, split="train", config="gpqa_diamond")
    questions = load("gpqa", path)
    assert [q.id for q in questions] == [row["Record ID"] for row in GPQA_ROWS]
    for question, row in zip(questions, GPQA_ROWS, strict=True):
        lines = question.prompt.splitlines()
        assert lines[0] == row["Question"]
        assert [line[:3] for line in lines[-4:]] == ["A) ", "B) ", "C) ", "D) "]
        assert f"{question.gold}) {row['Correct Answer']}" in lines
        assert sorted(line[3:] for line in lines[-4:]) == sorted(v for k, v in row.items() if "Answer" in k)


def test_gpqa_order_depends_on_seed_and_question_alone(tmp_path: Path) -> None:
    path = write(tmp_path, GPQA_ROWS, "jsonl", split="train", config=None)
    first = load("gpqa", path)
    assert load("gpqa", path) == first
    data = DataConfig(benchmark="gpqa", dataset_path=str(path), eval_samples=3)
    assert all(question in first for question in load_questions(benchmark_named("gpqa"), data, 42))
    assert [q.gold for q in load("gpqa", path, seed=43)] != [q.gold for q in first]
    assert all(q.metadata["option_order"].index(0) == "ABCD".index(q.gold) for q in first)


@given(st.integers(), st.text())
def test_option_order_is_a_permutation(seed: int, identifier: str) -> None:
    assert sorted(option_order(seed, identifier)) == [0, 1, 2, 3]


def test_the_right_option_is_at_each_letter_equally_often() -> None:
    counts = Counter(option_order(42, f"rec{i}").index(0) for i in range(4000))
    assert len(counts) == len(OPTIONS)
    assert all(abs(count - 1000) < 150 for count in counts.values())  # 5.5 standard deviations


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real questions are not beside this checkout")
@pytest.mark.parametrize(
    ("benchmark", "file", "count"),
    [
        ("aime", "aime2024.jsonl", 30),
        ("math500", "math500.jsonl", 500),
        ("math500", "HuggingFaceH4_MATH-500_test.jsonl", 500),
        ("gsm8k", "gsm8k_test.jsonl", 1319),
        ("gsm8k", "openai_gsm8k_test.jsonl", 1319),
    ],
)
def test_real_questions_load(benchmark: str, file: str, count: int, caplog: pytest.LogCaptureFixture) -> None:
    questions = load(benchmark, SHARED / file)
    assert len({question.id for question in questions}) == count
    assert not caplog.records


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real questions are not beside this checkout")
def test_two_copies_of_gsm8k_agree() -> None:
    copies = [load("gsm8k", SHARED / file) for file in ("gsm8k_test.jsonl", "openai_gsm8k_test.jsonl")]
    assert [q.gold for q in copies[0]] == [q.gold for q in copies[1]]
    assert [q.id for q in copies[0]] == [q.id for q in copies[1]]


def test_expected_counts_and_sources() -> None:
    expected = {
        ("aime", "2024"): ("HuggingFaceH4/aime_2024", "train", None, 30),
        ("aime", "2025"): ("MathArena/aime_2025", "train", None, 30),
        ("aime", "2026"): ("MathArena/aime_2026", "train", None, 30),
        ("hmmt", "feb2025"): ("MathArena/hmmt_feb_2025", "train", None, 30),
        ("amc", "2022-2023"): ("AI-MO/aimo-validation-amc", "train", None, 83),
        ("amc", "2023"): ("math-ai/amc23", "test", None, 40),
        ("math500", "test"): ("HuggingFaceH4/MATH-500", "test", None, 500),
        ("gsm8k", "test"): ("openai/gsm8k", "test", "main", 1319),
        ("gpqa", "diamond"): ("Idavidrein/gpqa", "train", "gpqa_diamond", 198),
    }
    for (name, version), known in expected.items():
        source = benchmark_named(name).versions[version]
        assert (source.repository, source.split, source.config, source.questions) == known


def test_listing_names_every_benchmark_and_repository() -> None:
    text = listing()
    for name in benchmarks():
        assert f"\n{name} " in text
        assert all(source.repository in text for source in benchmark_named(name).versions.values())


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        (r"so \boxed{204}", "204"),
        (r"\boxed{1} and \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{ 7 }.", "7"),
        (r"\boxed{12", None),
        ("no box", None),
    ],
)
def test_last_boxed(text: str, contents: str | None) -> None:
    assert last_boxed(text) == contents


@pytest.mark.parametrize(
    ("text", "integer"),
    [("025", "25"), ("25.0", "25"), ("$25$", "25"), (r"336^\circ", "336"), ("-7", "-7"), ("000", "0")],
)
def test_integer_text(text: str, integer: str) -> None:
    assert integer_text(text) == integer


@pytest.mark.parametrize("text", ["2.5", "1/2", "x", "", "1 2", "12a"])
def test_integer_text_refuses_what_is_no_integer(text: str) -> None:
    with pytest.raises(ValueError, match="not an integer"):
        integer_text(text)


@given(st.integers())
def test_whole_number_of_a_float_column(number: int) -> None:
    assert whole_number(f"{number}.0") == str(number)
    assert whole_number(f"{number}.50") == f"{number}.50"


@pytest.mark.parametrize("answer", ["#### twelve", "####", "no number"])
def test_gsm8k_answer_must_be_a_number(answer: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        final_number(answer)

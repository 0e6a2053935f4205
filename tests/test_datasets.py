"""Reading rows: what is wrong with a dataset is said in one sentence; the hub fails fast."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.aime import BENCHMARK as AIME
from evaluators.benchmarks.benchmark import Question
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.dataset_rows import file_rows, folder_rows
from evaluators.benchmarks.questions import load_questions, subset
from evaluators.gsm8k import BENCHMARK as GSM8K
from srgen.errors import ConfigError

ROW = {"problem": "Find 1 + 1.", "answer": "2"}


def refusal(path: Path, **data: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load_questions(AIME, DataConfig(benchmark="aime", dataset_path=str(path), **data), 42)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    assert "there is no dataset at" in refusal(tmp_path / "none.jsonl")


def test_unknown_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    path.write_text("")
    assert ".jsonl, .json, .csv, .parquet" in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", '{"problem": "p", "answer": "1"}\n{"problem"\n', "line 2 is not JSON"),
        ("a.json", "{", "cannot be read as JSON"),
        ("a.json", '{"a": 1}', "must be a list of questions"),
        ("a.json", "7", "must be a list of questions"),
        ("a.json", "[1, 2]", "one object per question"),
        ("a.jsonl", "", "holds no questions"),
        ("a.parquet", "not parquet", "cannot be read as PARQUET"),
        ("a.csv", b"\xff\xfe\x00", "cannot be read as CSV"),
    ],
)
def test_broken_files(name: str, content: str | bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert says in refusal(path)


def test_lacking_field_names_the_ones_found(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "p", "target": "1", "answer": null}\n')
    assert refusal(path) == f"row 1 of {path} has no field 'problem or question'; fields found: prompt, target"


def test_lacking_answer_in_a_later_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("problem,answer\nFind 1.,1\nFind 2.,\n")
    assert refusal(path) == f"row 2 of {path} has no field 'answer or expected_answer'; fields found: problem"


def test_impossible_answer(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**ROW, "answer": "two"}))
    assert refusal(path) == f"row 1 of {path}: the answer 'two' is not an integer"


def test_identifier_used_twice(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(2 * (json.dumps({"id": 7, **ROW}) + "\n"))
    assert "identifier 'aime-7'" in refusal(path)


def test_json_with_one_object_per_line_or_inside_an_object(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(2 * (json.dumps(ROW) + "\n"))
    assert file_rows(path) == [ROW, ROW]
    path.write_text(json.dumps({"data": [ROW], "version": 1}))
    assert file_rows(path) == [ROW]


def test_unexpected_count_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW))
    assert len(load_questions(AIME, DataConfig(benchmark="aime", dataset_path=str(path)), 42)) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"the questions in {path} are not those of aime 2024: the run is called aime-rows"
    ]


def parquet(path: Path, answer: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"question": "q", "answer": answer}]), path)


def test_folder_with_several_configurations_and_splits(tmp_path: Path) -> None:
    for config in ("main", "socratic"):
        for split in ("train", "test"):
            parquet(tmp_path / config / f"{split}-00000-of-00001.parquet", f"#### {len(config)}{len(split)}")
    blocks = "".join(
        f"- config_name: {config}\n  data_files:\n"
        + "".join(f"  - split: {split}\n    path: {config}/{split}-*\n" for split in ("train", "test"))
        for config in ("main", "socratic")
    )
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{blocks}---\n")

    def golds(split: str | None) -> list[str]:
        data = DataConfig(benchmark="gsm8k", dataset_path=str(tmp_path), split=split)
        return [question.gold for question in load_questions(GSM8K, data, 42)]

    assert golds(None) == ["44"]
    assert golds("train") == ["45"]
    with pytest.raises(ConfigError, match=r"has no split 'validation'; it has (test, train|train, test)$"):
        golds("validation")


def test_folder_without_readme_takes_its_only_split(tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "train-00000-of-00001.parquet", "#### 5")
    rows = folder_rows(tmp_path, GSM8K.versions["test"], None)
    assert [row["answer"] for row in rows] == ["#### 5"]
    with pytest.raises(ConfigError, match="has no split 'test'; it has train"):
        folder_rows(tmp_path, GSM8K.versions["test"], "test")


def test_changed_folder_is_read_anew(tmp_path: Path) -> None:
    for answer in ("1", "2"):
        folder = tmp_path / answer / "copy"
        parquet(folder / "data" / "test-00000-of-00001.parquet", f"#### {answer}")
        assert [row["answer"] for row in folder_rows(folder, GSM8K.versions["test"], None)] == [f"#### {answer}"]


def test_folder_without_data(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing")
    assert "cannot be read as a dataset folder" in refusal(tmp_path)


@given(st.integers(1, 40), st.integers(1, 50), st.integers())
def test_subset_is_ordered_reproducible_and_of_the_right_size(total: int, size: int, seed: int) -> None:
    questions = [Question(id=f"{i:03}", prompt="p", gold="1", kind="integer") for i in range(total)]
    chosen = subset(questions, size, seed)
    assert len(chosen) == min(size, total)
    assert [q.id for q in chosen] == sorted({q.id for q in chosen})
    assert subset(questions, size, seed) == chosen


def test_subsets_of_different_seeds_differ() -> None:
    questions = [Question(id=f"{i:03}", prompt="p", gold="1", kind="integer") for i in range(100)]
    assert len({tuple(q.id for q in subset(questions, 10, seed)) for seed in range(20)}) == 20


def hub_command(benchmark: str, cache: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    """The real command against a hub at `endpoint`, with an empty cache and no token."""
    model = cache / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-m", f"evaluators.{benchmark}", "--model_path", str(model), "--dry_run"],
        env=environment | {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache / "hf")},
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_unreachable_hub_is_one_sentence_soon(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        started = time.monotonic()
        done = hub_command("aime", tmp_path, f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: the hub cannot be reached for HuggingFaceH4/aime_2024; "
        "give a local copy with --dataset_path FILE.jsonl|json|csv|parquet|FOLDER"
    ]
    assert time.monotonic() - started < 20  # retrying would take 25 s


@contextmanager
def hub(status: int, headers: dict[str, str]) -> Iterator[str]:
    """A hub that answers every request below /datasets with that status."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status if "datasets" in self.path else 200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [401, 403])
def test_gated_dataset_is_one_sentence(status: int, tmp_path: Path) -> None:
    with hub(status, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."}) as endpoint:
        done = hub_command("gpqa", tmp_path, endpoint)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: Idavidrein/gpqa is gated: accept its terms at https://huggingface.co/datasets/Idavidrein/gpqa "
        "and log in (`hf auth login`, or HF_TOKEN), or give a local copy with --dataset_path "
        "FILE.jsonl|json|csv|parquet|FOLDER"
    ]


def test_dataset_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with hub(404, {"X-Error-Code": "RepoNotFound"}) as endpoint:
        done = hub_command("aime", tmp_path, endpoint)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: https://huggingface.co/datasets/HuggingFaceH4/aime_2024 cannot be had")
    assert "--dataset_path" in line

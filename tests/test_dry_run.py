"""`--dry_run` checks what would stop a run, and says what the run would do."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from server_process import running, tiny_engine, tiny_model, tiny_tokenizer
from synthetic_runs import drawn_run

from evaluators.cli import main
from evaluators.mini import BENCHMARK as MINI
from evaluators.settings.sources import ENVIRONMENT


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of 1,024 positions, with a tokenizer that counts bytes."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_model(positions=1024).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def examined(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(MINI, [*arguments, "--dry_run"])
    return status, *capsys.readouterr()


def test_it_says_what_the_run_would_do_and_leaves_nothing(
    model: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = examined(capsys, "--model_path", str(model), "--average", "2", "--eval_samples", "3")
    assert status == 0
    (folder,) = out.splitlines()
    assert folder.startswith("results/mini/tiny/base-k2-")
    lines = err.splitlines()
    assert lines[0] == "base on 3 questions, K = 2: 6 samples, of which 0 are there"
    assert lines[1] == "workers: cpu:0, 8 samples at a time each"
    assert lines[2] == "the model loads as LlamaForCausalLM, for texts of 1,024 tokens"
    assert lines[3].endswith(" tokens, and 256 may follow")
    at = lines.index("the first prompt, as the model will see it:")
    assert lines[at + 1] == "  | <s>system"
    assert any(line.startswith("  | ") and line.endswith("<e><s>assistant") for line in lines)
    assert lines[-1] == (
        "at most 1,536 tokens to generate; how long that takes is not known before a run of this model has begun"
    )
    assert list(here.iterdir()) == []


def test_the_time_is_estimated_from_what_the_model_has_taken(
    model: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = drawn_run(here / "results" / "aime-2024" / "tiny" / "earlier", questions=5, k=2)
    (earlier / "timing.json").write_text(json.dumps({"wall_seconds": 600.0, "sessions": 1}))
    _, _, err = examined(capsys, "--model_path", str(model), "--average", "2", "--eval_samples", "3")
    assert err.splitlines()[-1].endswith("; about 6 minutes at the pace of results/aime-2024/tiny/earlier")


def test_a_budget_beyond_the_model_is_a_warning_and_a_prompt_beyond_it_an_error(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = examined(capsys, "--model_path", str(model), "--max_new_tokens", "1024")
    assert status == 0
    assert "--max_new_tokens 1024 are more than the model's 1,024; samples that come to that end there" in err
    status, _, err = examined(capsys, "--model_path", str(model), "--max_model_len", "40")
    assert status == 2
    assert "error: the longest prompt has" in err
    assert "and the model takes 40, answer included" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--device", "cuda:0"], "device 'cuda:0' asks for a GPU, and none is visible here"),
        (["--output_dir", "/proc/version"], "is no folder that can be written; give another --output_dir"),
        (["--chat_template_kwargs", '{"x": 1}'], "the model's chat template knows no argument 'x'"),
    ],
)
def test_what_would_stop_the_run_stops_it_here(
    model: Path, arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("evaluators.running.dry_run.visible_gpus", lambda: ())
    status, out, err = examined(capsys, "--model_path", str(model), *arguments)
    assert (status, out) == (2, "")
    assert says in err
    assert err.startswith("error: ")


def test_a_folder_whose_model_does_not_load(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "m").mkdir()
    (here / "m" / "config.json").write_text("{}")
    status, _, err = examined(capsys, "--model_path", "m")
    assert status == 2
    assert err.startswith("error: could not load the model 'm': ")


def test_a_folder_of_another_run(model: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn_run(here / "results" / "mini" / "tiny" / "x", questions=5, k=2)
    status, _, err = examined(capsys, "--model_path", str(model), "--run_name", "x")
    assert status == 2
    assert "was begun with another configuration" in err


def test_an_endpoint_that_does_not_answer_and_one_that_does(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        status, _, err = examined(capsys, "--model_path", "a", "--backend", "openai", "--base_url", address)
    assert status == 2
    assert "does not answer" in err
    with running(tiny_engine()) as (url, _):
        status, _, err = examined(capsys, "--model_path", "a", "--backend", "openai", "--base_url", f"{url}/v1")
    assert status == 0
    assert f"{url}/v1 answers and lists srgen" in err
    assert "warning: a is not among the 1 models that it lists" in err
    assert "user: " in err

"""The openai backend, against our own server and against endpoints that fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import openai
import pytest

from evaluators.__main__ import main
from srgen import ConfigError, Message, Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig, load_engine
from srgen.engines.openai import OpenAIEngine
from tests.server_process import running, tiny_engine

METHOD = SRGenConfig(entropy_threshold=0.5, adaptive_entropy=False, lr=0.1, max_retries=3)
CHAT = (Message("user", "Say something."),)


def requests(count: int, **changes: object) -> list[Request]:
    values = {"prompt": CHAT, "sampling": Sampling(do_sample=False, max_new_tokens=16), "srgen": METHOD} | changes
    return [Request(id=str(index), seed=index, **values) for index in range(count)]  # type: ignore[arg-type]


def engine_for(url: str, **changes: object) -> OpenAIEngine:
    config = EngineConfig(model_path="srgen", backend="openai", base_url=f"{url}/v1", **changes)  # type: ignore[arg-type]
    engine = load_engine(config)
    assert isinstance(engine, OpenAIEngine)
    return engine


@pytest.mark.parametrize("prompt", [CHAT, "abc", (0, 50, 60)])
@pytest.mark.parametrize("method", [None, METHOD])
def test_our_server_gives_what_the_engine_gives(prompt: object, method: SRGenConfig | None) -> None:
    asked = requests(3, prompt=prompt, srgen=method)
    expected = {c.id: c for c in tiny_engine().generate(asked)}
    with running(tiny_engine()) as (url, _):
        got = {c.id: c for c in engine_for(url, batch_size=2).generate(asked)}
    assert set(got) == {"0", "1", "2"}
    for key, completion in got.items():
        assert completion.token_ids == expected[key].token_ids
        assert completion.text == expected[key].text
        assert completion.finish_reason == expected[key].finish_reason
        assert completion.prompt_tokens == expected[key].prompt_tokens
        assert [r.position for r in completion.reflections] == [r.position for r in expected[key].reflections]


def test_a_prompt_that_is_too_long_is_an_error_completion() -> None:
    with running(tiny_engine()) as (url, _):
        (completion,) = engine_for(url).generate(requests(1, prompt="x" * 300))
    assert completion.finish_reason == "error"
    assert "300 tokens" in (completion.error or "")


@contextmanager
def endpoint(
    statuses: list[int], *, logprobs: dict | None = None, refuses: str | None = None
) -> Iterator[tuple[str, list[dict]]]:
    """A foreign endpoint that answers with these statuses first, then rightly; its URL and the bodies it got.

    `logprobs` are those of its answer; a request with the field that it `refuses` is a bad one.
    """
    bodies: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(
                200, {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "x"}]}
            )

        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status = statuses.pop(0) if statuses else 400 if refuses in bodies[-1] else 200
            message = {"role": "assistant", "content": "the answer"}
            choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs}
            usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            right = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [choice],
                "usage": usage,
            }
            self.answer(status, right if status == 200 else {"error": {"message": "no", "type": "x"}})

        def answer(self, status: int, body: dict) -> None:
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()


def test_failures_that_pass_are_tried_again_and_no_sample_is_lost() -> None:
    with endpoint([503, 429, 500]) as (url, bodies):
        completions = list(engine_for(url, batch_size=2).generate(requests(4, srgen=None)))
    assert sorted(c.id for c in completions) == ["0", "1", "2", "3"]
    assert {c.text for c in completions} == {"the answer"}
    assert [len(c.token_ids) for c in completions] == [2, 2, 2, 2]
    assert len(bodies) == 7
    # Nothing is sent that only our own server knows.
    assert not {"srgen", "return_token_ids", "top_k"} & set(bodies[0])


def test_a_source_with_nothing_at_present_is_asked_again() -> None:
    with endpoint([]) as (url, _):
        source = iter([requests(1, srgen=None)[0], None, None, *requests(2, srgen=None)[1:]])
        assert sorted(c.id for c in engine_for(url).generate(source)) == ["0", "1"]


def test_a_foreign_endpoint_makes_base_runs_only() -> None:
    with endpoint([]) as (url, _), pytest.raises(ConfigError, match="does not know SRGen"):
        list(engine_for(url).generate(requests(1)))


@pytest.mark.parametrize("status", [401, 404])
def test_what_the_user_has_to_change_ends_the_run(status: int) -> None:
    with endpoint([status]) as (url, _), pytest.raises(ConfigError, match="refuses the run"):
        list(engine_for(url).generate(requests(1, srgen=None)))


def test_an_endpoint_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="does not answer"):
        engine_for("http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="base_url"):
        load_engine(EngineConfig(model_path="srgen", backend="openai"))


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    with running(tiny_engine(), api_key="secret") as (url, _):
        (completion,) = engine_for(url, api_key_env="MY_KEY").generate(requests(1))
        assert completion.finish_reason == "length"
        with pytest.raises(ConfigError, match="does not list its models"):
            engine_for(url)


def test_an_evaluator_runs_over_http(tmp_path: Path) -> None:
    with running(tiny_engine(positions=2048)) as (url, _):
        flags = ["--backend", "openai", "--base_url", f"{url}/v1", "--model_path", "srgen", "--max_new_tokens", "8"]
        status = main(["mini", *flags, "--eval_samples", "2", "--output_dir", str(tmp_path), "--run_name", "run"])
    assert status == 0
    lines = (tmp_path / "mini" / "srgen" / "run" / "samples.jsonl").read_text().splitlines()
    assert [json.loads(line)["generated_tokens"] for line in lines] == [8, 8]


@pytest.mark.parametrize("flags", [["--backend", "openai"], ["--base_url", "http://x/v1"], ["--reencode_context"]])
def test_flags_of_another_backend_are_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mini", "--model_path", "demo", *flags]) == 2
    assert "--backend" in capsys.readouterr().err


def test_a_package_that_is_not_installed_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers find a package in its place that cannot be imported."""
    (tmp_path / "openai.py").write_text("raise ModuleNotFoundError(\"No module named 'openai'\", name='openai')")
    monkeypatch.syspath_prepend(str(tmp_path))
    flags = ["--backend", "openai", "--base_url", "http://127.0.0.1:9/v1", "--output_dir", str(tmp_path / "results")]
    assert main(["mini", "--model_path", "srgen", *flags]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == (
        "error: the openai backend needs the openai package: run `pip install -e '.[openai]'` in the project's clone"
    )
    assert not any("Traceback" in line for line in lines)


def test_the_client_is_given_up_early_without_waiting() -> None:
    with endpoint([]) as (url, _):
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
        engine = OpenAIEngine(client, "m", 2)
        stream = engine.generate(requests(10, srgen=None))
        next(stream)
        stream.close()
        assert len(list(engine.generate(requests(2, srgen=None)))) == 2

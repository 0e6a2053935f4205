"""The server's command line and its end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from srgen import ConfigError
from srgen.server.__main__ import main, settings
from srgen.server.settings import METHOD, OWN
from srgen.server.text_stream import TextStream
from tests.server_process import tiny_model, tiny_tokenizer

ROOT = Path(__file__).resolve().parents[1]


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "server.json"
    file.write_text(json.dumps({"model_path": "a/b", "times": 5, "lr": 0.02, "port": 9, "use_entropy_control": True}))
    config = settings(["--config", str(file), "--port", "8123", "--lr", "0.5", "--no-use_entropy_control"])
    assert (config.model_path, config.port, config.use_entropy_control) == ("a/b", 8123, False)
    assert (config.srgen.times, config.srgen.lr, config.srgen.adaptive_entropy_N) == (5, 0.5, 25)
    assert config.host == "127.0.0.1"


def test_the_shipped_file_is_the_paper_s_setting() -> None:
    config = settings(["--config", str(ROOT / "configs" / "server_config.json")])
    assert config.srgen == type(config.srgen)()
    assert config.use_entropy_control


def test_the_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRGEN_API_KEY", "secret")
    assert settings([]).api_key == "secret"
    assert settings(["--api_key", "other"]).api_key == "other"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": 1}, "unknown server setting 'speed'"),
        ({"port": 70000}, "port must be at most 65535"),
        ({"port": "http"}, "port must be of type int"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"lr": -1}, "lr must be positive"),
        ({"model_path": 3}, "model_path must be text"),
        ([1], "must hold one JSON object"),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, values: object, message: str) -> None:
    file = tmp_path / "server.json"
    file.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=message):
        settings(["--config", str(file)])


def test_help_says_what_every_setting_means(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for name in OWN | METHOD:
        assert re.search(rf"--{name}\b.*? [A-Z][^\[]{{10,}} \[default: ", shown), name
    assert "Sequences that may wait for a place; more are answered 429. [default: 256]" in shown
    assert "SRGen for requests that do not say. [default: on]" in shown


def test_a_mistake_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", "/no/such/file.json"]) == 2
    assert capsys.readouterr().err.startswith("error: cannot read /no/such/file.json")


@pytest.mark.parametrize("package", ["fastapi", "prometheus_client", "uvicorn"])
def test_a_package_that_is_not_installed_is_one_sentence(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("srgen.server.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert main([]) == 2
    assert capsys.readouterr().err == (
        f"error: the server needs {package}: run `pip install -e '.[server]'` in the project's clone\n"
    )


@pytest.mark.parametrize("stops", [(), ("äß",), ("Ω",), ("zz", "é€x")])
def test_pieces_join_to_the_text_before_the_stop(stops: tuple[str, ...]) -> None:
    tokenizer = tiny_tokenizer()
    text = "naïve é€ 🙂 Ωmega äöß end"
    tokens = tokenizer(text)["input_ids"]
    stream = TextStream(tokenizer, stops)
    pieces = [stream.push([token]) for token in tokens]
    whole = text
    for stop in stops:
        whole = whole.split(stop, maxsplit=1)[0]
    said = "".join(pieces)
    if whole == text:
        assert said + stream.finish(whole) == text
        assert not any("\ufffd" in piece for piece in pieces)
    else:
        # The sequence ends with the token that completes the stop string: what was said before is not beyond it.
        upto = len(text.split(stops[0], maxsplit=1)[0].encode())
        assert whole.startswith("".join(pieces[:upto]))


def test_sigterm_lets_a_stream_end(tmp_path: Path) -> None:
    tiny_model(positions=4096).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "srgen.server", "--model_path", str(tmp_path), "--port", str(port)]
    process = subprocess.Popen([*command, "--device", "cpu", "--no-use_entropy_control"], cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process)
        body = {"model": "srgen", "prompt": "ab", "temperature": 0, "max_tokens": 1500, "stream": True}
        with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=120) as answer:
            lines = answer.iter_lines()
            next(lines)
            process.send_signal(signal.SIGTERM)
            received = [line for line in lines if line]
        assert received[-1] == "data: [DONE]"
        assert process.wait(60) in (0, -signal.SIGTERM)
    finally:
        process.kill()


def wait_for(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the server did not start")

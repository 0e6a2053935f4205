"""`python -m srgen.serve_vllm`: plain and SRGen requests over HTTP, as docs/serving.md shows them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from srgen import Message, Request, Sampling, SRGenConfig
from srgen.engines import EngineConfig
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.vllm.version import installed

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(installed() is None, reason="vLLM is not installed: run `bash scripts/test_vllm.sh`"),
]

QUESTION = "A shop sells pens at 3 dollars and books at 7. What do 4 pens and 2 books cost?"
TOKENS = 48
START_SECONDS = 300
STOP_SECONDS = 60


@pytest.fixture(scope="module")
def server(demo_model: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """(base URL, process) of a server that is ready."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    options = ["--dtype", "float32", "--max-model-len", "512", "--enforce-eager", "--kv-cache-memory-bytes", "256M"]
    command = [sys.executable, "-m", "srgen.serve_vllm", "demo", "--port", str(port), *options]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, log)
        yield url, process
    finally:
        process.kill()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)


def ask(url: str, **more: Any) -> httpx.Response:
    model = httpx.get(f"{url}/v1/models").json()["data"][0]["id"]
    body = {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0,
        "max_tokens": TOKENS,
        **more,
    }
    return httpx.post(f"{url}/v1/chat/completions", json=body, timeout=120)


def test_requests_with_and_without_srgen_give_the_transformers_engines_text(
    server: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, _ = server
    config = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.8, max_retries=5, lr=0.1)
    asked = {"srgen": 1, "srgen_adaptive_entropy": 0, "srgen_entropy_threshold": 0.8, "srgen_max_retries": 5}
    plain, ours = ask(url), ask(url, vllm_xargs={**asked, "srgen_lr": 0.1})
    engine = TransformersEngine.load(EngineConfig(model_path="demo", device="cpu", dtype="float32"))
    sampling = Sampling(do_sample=False, max_new_tokens=TOKENS)
    requests = [
        Request(id=name, prompt=(Message("user", QUESTION),), sampling=sampling, seed=0, srgen=srgen)
        for name, srgen in (("plain", None), ("srgen", config))
    ]
    expected = {completion.id: completion for completion in engine.generate(requests)}
    assert expected["srgen"].reflections
    assert expected["srgen"].text != expected["plain"].text
    for response, name in ((plain, "plain"), (ours, "srgen")):
        assert response.status_code == 200, response.text
        assert response.json()["choices"][0]["message"]["content"] == expected[name].text


def test_a_wrong_parameter_is_answered_with_a_sentence(server: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, _ = server
    response = ask(url, vllm_xargs={"srgen": 1, "srgen_tims": 3})
    assert response.status_code == 400
    assert "unknown SRGen parameter 'tims'" in response.text


def test_sigterm_ends_the_server(server: tuple[str, subprocess.Popen[bytes]]) -> None:
    """The last test of this file: the server is gone after it."""
    url, process = server
    process.send_signal(signal.SIGTERM)
    process.wait(STOP_SECONDS)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/health")

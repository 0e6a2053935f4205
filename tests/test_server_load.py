"""The server under load, and under requests that nobody means."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from srgen import Message, Request, Sampling
from srgen.engines.transformers.engine import TransformersEngine
from srgen.server.app import create_app
from srgen.server.settings import ServerConfig
from tests.server_process import running, tiny_engine

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))
if TYPE_CHECKING:
    from scripts.stress_server import storm
else:
    from stress_server import storm

CLIENTS = 32
SECONDS = 20
TOKENS = 6
QUESTIONS = [f"What is {number} plus {number + 1}?" for number in range(8)]

schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(ServerConfig(max_tokens=4), tiny_engine()))


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_is_answered_500(case: Any) -> None:
    response = case.call()
    assert response.status_code < 500
    if response.status_code >= 400:
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_a_storm_is_answered_and_nobody_pays_for_another() -> None:
    """The short form of scripts/stress_server.py: slow readers, clients that leave, bodies and stops of great size."""
    with running(tiny_engine(positions=1024), batch_size=8, use_entropy_control=False) as (url, app):
        outcomes = asyncio.run(storm(url, clients=30, requests=100))
        assert wait_for_rest(app)
    expected = {
        "plain": {"200"},
        "slow reader": {"200"},
        "leaves": {"left"},
        "10 MB prompt": {"400"},
        "10 kB stop string": {"422"},
        "100,000 tokens asked": {"400"},
        "broken JSON": {"422"},
    }
    assert {kind: set(found) for kind, found in outcomes.items()} == expected
    assert sum(found.total() for found in outcomes.values()) == 100


def wait_for_rest(app: Any) -> bool:
    """Whether the places of those that left are free soon."""
    deadline = time.monotonic() + 20
    while app.state.batcher.running and time.monotonic() < deadline:
        time.sleep(0.05)
    return not app.state.batcher.running


@pytest.fixture(scope="module")
def demo_url(demo_engine: TransformersEngine) -> Iterator[str]:
    with running(demo_engine, use_entropy_control=False, batch_size=32) as (url, _):
        yield url


def ask(client: openai.OpenAI, question: str, **changes: Any) -> Any:
    message = {"role": "user", "content": question}
    shared = {"model": "srgen", "messages": [message], "temperature": 0, "max_tokens": TOKENS}
    return client.chat.completions.create(**shared | changes)


@pytest.mark.model
@pytest.mark.slow
def test_32_clients_lose_no_request_and_get_the_text_that_each_gets_alone(
    demo_engine: TransformersEngine, demo_url: str
) -> None:
    sampling = Sampling(do_sample=False, max_new_tokens=TOKENS)
    alone: dict[str, str] = {}
    engine = TransformersEngine(demo_engine.model, demo_engine.tokenizer, batch_size=1)
    for question in QUESTIONS:
        asked = Request(id=question, prompt=(Message("user", question),), sampling=sampling, seed=0)
        (completion,) = engine.generate([asked])
        alone[question] = completion.text
    engine.loop().close()
    answers: list[tuple[str, str | None]] = []
    failures: list[Exception] = []
    until = time.monotonic() + SECONDS

    def work(number: int) -> None:
        client = openai.OpenAI(base_url=f"{demo_url}/v1", api_key="any", max_retries=0)
        turn = number
        while time.monotonic() < until:
            question = QUESTIONS[turn % len(QUESTIONS)]
            try:
                answers.append((question, ask(client, question).choices[0].message.content))
            except Exception as error:
                failures.append(error)
            turn += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not failures
    assert len(answers) >= CLIENTS
    assert all(text == alone[question] for question, text in answers)


@pytest.mark.model
def test_srgen_on_the_demo_model_reports_its_reflections(demo_url: str) -> None:
    client = openai.OpenAI(base_url=f"{demo_url}/v1", api_key="any", max_retries=0)
    low = {"entropy_threshold": 0.01, "adaptive_entropy": False, "max_retries": 2}
    on = ask(client, QUESTIONS[0], extra_body={"srgen": low})
    assert 0 < on.usage.srgen["reflections"] <= 2
    off = ask(client, QUESTIONS[0], extra_body={"srgen": False})
    assert off.usage.srgen["reflections"] == 0
    assert off.choices[0].message.content == ask(client, QUESTIONS[0]).choices[0].message.content

"""The server over HTTP, with OpenAI's own client."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from srgen import Message, Request, Sampling
from srgen.engines.transformers.engine import TransformersEngine
from tests.server_process import running, tiny_engine

CHAT = [{"role": "user", "content": "Say something."}]
GREEDY = {"model": "srgen", "messages": CHAT, "temperature": 0, "max_tokens": 24}
SENSITIVE = {"entropy_threshold": 0.0, "adaptive_entropy": False, "max_retries": 5, "lr": 0.1}


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    return tiny_engine()


@pytest.fixture(scope="module")
def url(engine: TransformersEngine) -> Iterator[str]:
    with running(engine, use_entropy_control=False, batch_size=8) as (address, _):
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)


@pytest.fixture(scope="module")
def alone() -> str:
    """What the engine gives for GREEDY without a server."""
    sampling = Sampling(do_sample=False, max_new_tokens=24)
    request = Request(id="0", prompt=(Message("user", "Say something."),), sampling=sampling, seed=0)
    (completion,) = tiny_engine().generate([request])
    return completion.text


def text_of(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def wait_until(holds: Any, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(holds())


def test_chat_gives_the_engine_s_text_and_its_usage(client: openai.OpenAI, alone: str) -> None:
    answer = client.chat.completions.create(**GREEDY)
    assert answer.choices[0].message.content == alone
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 24
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 24
    assert answer.usage.model_extra == {"srgen": {"reflections": 0, "positions": [[]]}}


def test_a_stream_joins_to_the_same_text_and_ends_with_usage(client: openai.OpenAI, alone: str) -> None:
    chunks = list(client.chat.completions.create(**GREEDY, stream=True, stream_options={"include_usage": True}))
    assert text_of(chunks) == alone
    assert len(chunks) > 5
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 24


def test_n_choices_differ_and_the_same_seed_gives_them_again(client: openai.OpenAI) -> None:
    sampled = GREEDY | {"temperature": 1.0, "top_p": 1.0, "n": 2}
    first, again, other = (client.chat.completions.create(**sampled, seed=seed) for seed in (7, 7, 8))
    texts = [[choice.message.content for choice in answer.choices] for answer in (first, again, other)]
    assert [choice.index for choice in first.choices] == [0, 1]
    assert texts[0][0] != texts[0][1]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


@pytest.mark.parametrize("stream", [False, True])
def test_text_ends_before_the_stop_string(client: openai.OpenAI, alone: str, stream: bool) -> None:
    stop = alone[6:9]
    answer = client.chat.completions.create(**GREEDY, stop=stop, stream=stream)
    text = text_of(answer) if stream else answer.choices[0].message.content
    assert text == alone.split(stop, maxsplit=1)[0]


def test_text_completions_take_several_prompts_and_token_ids(client: openai.OpenAI) -> None:
    shared = {"model": "srgen", "temperature": 0, "max_tokens": 8}
    both = client.completions.create(prompt=["ab", "cd"], **shared)
    single = [client.completions.create(prompt=prompt, **shared).choices[0].text for prompt in ("ab", "cd")]
    assert [choice.text for choice in both.choices] == single
    ids = tiny_engine().tokenizer("cd")["input_ids"]
    assert client.completions.create(prompt=ids, **shared).choices[0].text == single[1]


def test_logprobs_are_those_of_the_tokens(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**GREEDY, logprobs=True, top_logprobs=3)
    assert answer.choices[0].logprobs is not None
    entries = answer.choices[0].logprobs.content
    assert entries is not None and len(entries) == 24
    for entry in entries:
        assert entry.logprob <= 0
        # Greedy: the token is the most likely one.
        assert entry.logprob == entry.top_logprobs[0].logprob
        assert [t.logprob for t in entry.top_logprobs] == sorted((t.logprob for t in entry.top_logprobs), reverse=True)
    streamed = client.chat.completions.create(**GREEDY, logprobs=True, top_logprobs=3, stream=True)
    pieces = [c.choices[0].logprobs for c in streamed if c.choices and c.choices[0].logprobs]
    assert [e.logprob for p in pieces for e in p.content or []] == [e.logprob for e in entries]


def test_srgen_is_switched_by_the_request(client: openai.OpenAI, alone: str) -> None:
    on = client.chat.completions.create(**GREEDY, extra_body={"srgen": SENSITIVE})
    assert on.usage is not None and on.usage.model_extra is not None
    assert on.usage.model_extra["srgen"]["reflections"] == 5
    assert on.usage.model_extra["srgen"]["positions"] == [[1, 2, 3, 4, 5]]
    off = client.chat.completions.create(**GREEDY, extra_body={"srgen": False})
    assert off.choices[0].message.content == alone


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"temperature": -1}, 422, "temperature"),
        ({"max_tokens": "many"}, 422, "max_tokens"),
        ({"no_such_field": 1}, 422, "no_such_field"),
        ({"srgen": {"lr": -1}}, 422, "srgen"),
        ({"srgen": {"no_such_parameter": 1}}, 422, "srgen"),
        ({"srgen": {"sketch_top": 2}}, 422, "srgen"),
        ({"model": "another"}, 404, "model"),
        ({"messages": [{"role": "user", "content": "x" * 400}]}, 400, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 10**7}]}, 400, "messages"),
        ({"max_tokens": 100_000}, 400, "max_tokens"),
        ({"max_tokens": None, "max_completion_tokens": 250}, 400, "max_completion_tokens"),
        ({"stop": "x" * 10_000}, 422, "stop.constrained-str"),
    ],
)
def test_what_is_wrong_is_refused_in_openai_s_form(url: str, change: dict, status: int, param: str) -> None:
    answer = httpx.post(f"{url}/v1/chat/completions", json=GREEDY | change, timeout=30)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert len(error["message"]) > 10


def test_the_client_raises_its_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(**GREEDY | {"temperature": 3})
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(**GREEDY | {"model": "another"})
    with pytest.raises(openai.BadRequestError):
        client.completions.create(model="srgen", prompt=[9999], max_tokens=1)


def test_a_budget_that_just_fits_is_taken(url: str) -> None:
    text = {"model": "srgen", "prompt": "ab", "temperature": 0}
    whole = httpx.post(f"{url}/v1/completions", json=text | {"max_tokens": 254}, timeout=60)
    assert whole.status_code == 200
    over = httpx.post(f"{url}/v1/completions", json=text | {"max_tokens": 255}, timeout=60)
    assert over.json()["error"]["message"] == (
        "the prompt has 2 tokens and 255 are asked for, which is more than the 256 that the model takes; "
        "ask for 254 at most"
    )
    assert over.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_all_measure_is_refused(url: str, announced: bool) -> None:
    body = b" " * (17 * 2**20)
    pieces = body if announced else (body[at : at + 2**20] for at in range(0, len(body), 2**20))
    try:
        answer = httpx.post(f"{url}/v1/chat/completions", content=pieces, timeout=60)
    except httpx.TransportError:
        return  # it hung up in the middle, which is an answer too
    assert answer.status_code == 413
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_models_health_and_metrics(client: openai.OpenAI, url: str) -> None:
    (card,) = client.models.list()
    assert abs(card.created - time.time()) < 600
    assert [model.id for model in client.models.list()] == ["srgen"]
    assert httpx.get(f"{url}/health").json() == {"status": "ok"}
    client.chat.completions.create(**GREEDY)
    metrics = httpx.get(f"{url}/metrics").text
    assert 'srgen_requests_total{endpoint="/v1/chat/completions",status="200"}' in metrics
    assert "srgen_generated_tokens_total" in metrics


def test_a_key_is_asked_for_where_one_is_set() -> None:
    with running(tiny_engine(), api_key="secret") as (url, _):
        wrong, right = (openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) for key in ("no", "secret"))
        with pytest.raises(openai.AuthenticationError):
            wrong.chat.completions.create(**GREEDY)
        assert right.chat.completions.create(**GREEDY).choices[0].message.content is not None
        assert httpx.get(f"{url}/health").status_code == 200


def slow_engine() -> TransformersEngine:
    """An engine whose steps take long enough for something to happen meanwhile."""
    engine = tiny_engine(positions=4096)
    engine.model.register_forward_hook(lambda *_: time.sleep(0.02))
    return engine


LONG = GREEDY | {"max_tokens": 3000, "srgen": False}


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_row(stream: bool) -> None:
    with running(slow_engine()) as (url, app):
        batcher = app.state.batcher
        with httpx.Client(timeout=1.0) as http:
            if stream:
                with http.stream("POST", f"{url}/v1/chat/completions", json=LONG | {"stream": True}) as answer:
                    lines = answer.iter_lines()
                    next(lines)  # kept: the connection is closed as soon as nobody holds its iterator
                    assert wait_until(lambda: batcher.running == 1)
            else:
                with pytest.raises(httpx.ReadTimeout):
                    http.post(f"{url}/v1/chat/completions", json=LONG)
        assert wait_until(lambda: batcher.running == 0)


def test_a_client_that_leaves_takes_no_other_answer_with_it() -> None:
    """The row that is dropped lies in the middle of the batch, so that another takes its place."""
    loop = tiny_engine().loop()
    sampling = Sampling(do_sample=False, max_new_tokens=24)
    asked = [Request(id=str(i), prompt=f"Number {i}:", sampling=sampling, seed=0) for i in range(3)]
    ended = {}
    for leaves in (False, True):
        found = list(loop.admit(asked))
        if leaves:
            loop.cancel("1")
        while len(loop):
            found += loop.step()
        ended[leaves] = {completion.id: completion.text for completion in found}
    assert ended[True] == {name: text for name, text in ended[False].items() if name != "1"}


def test_a_full_queue_is_answered_429_and_the_rest_goes_on() -> None:
    with running(slow_engine(), batch_size=1, max_queue=1) as (url, app):
        answers: list[int] = []

        def ask() -> None:
            answers.append(httpx.post(f"{url}/v1/chat/completions", json=GREEDY, timeout=60).status_code)

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert wait_until(lambda: app.state.batcher.running == 1 and app.state.batcher.waiting == 1)
        refused = httpx.post(f"{url}/v1/chat/completions", json=GREEDY, timeout=60)
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "queue_full"
        for thread in threads:
            thread.join()
        assert answers == [200, 200]


def test_a_stop_lets_running_answers_end() -> None:
    received: list[str] = []
    with running(slow_engine()) as (url, app):

        def read() -> None:
            with httpx.stream(
                "POST", f"{url}/v1/chat/completions", json=GREEDY | {"stream": True}, timeout=60
            ) as answer:
                received.extend(line for line in answer.iter_lines() if line)

        thread = threading.Thread(target=read)
        thread.start()
        assert wait_until(lambda: app.state.batcher.running == 1)
    thread.join(30)
    assert received[-1] == "data: [DONE]"
    finished = [json.loads(line[6:]) for line in received[:-1]]
    assert finished[-1]["choices"][0]["finish_reason"] == "length"


def test_a_step_that_fails_loses_its_rows_and_not_the_server() -> None:
    engine = tiny_engine()
    with running(engine, use_entropy_control=False) as (url, _):

        def fail(*_: Any) -> None:
            raise RuntimeError("out of memory")

        handle = engine.model.register_forward_pre_hook(fail)
        failed = httpx.post(f"{url}/v1/chat/completions", json=GREEDY, timeout=30)
        handle.remove()
        assert failed.status_code == 500
        assert failed.json()["error"]["type"] == "server_error"
        assert httpx.post(f"{url}/v1/chat/completions", json=GREEDY, timeout=30).status_code == 200

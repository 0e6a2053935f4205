"""The HTTP interface: OpenAI's chat and text completions, models, health and metrics."""

from __future__ import annotations

import functools
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse

from srgen.engines import base
from srgen.engines.transformers.engine import TransformersEngine
from srgen.server.batcher import Batcher
from srgen.server.body_limit import BodyLimit
from srgen.server.errors import ApiError, install
from srgen.server.metrics import Metrics, MetricsMiddleware
from srgen.server.protocol import Body, ChatBody, CompletionBody
from srgen.server.requests import RequestBuilder
from srgen.server.responses import Answer, Kind
from srgen.server.session import Session, collect, stream
from srgen.server.settings import ServerConfig

_ERROR = {
    "description": "Refused, in OpenAI's error form",
    "content": {"application/json": {"schema": {"type": "object", "required": ["error"]}}},
}
_ERRORS: dict[int | str, dict[str, Any]] = dict.fromkeys((400, 401, 404, 413, 422, 429), _ERROR)


def create_app(config: ServerConfig, engine: TransformersEngine) -> FastAPI:
    """The app around a loaded engine, whose decoding thread runs until the app shuts down."""
    batcher = Batcher(engine.loop(), config.batch_size, config.max_queue)
    metrics = Metrics(batcher)
    vocabulary = engine.model.config.get_text_config().vocab_size
    builder = RequestBuilder(config, engine.tokenizer, vocabulary, engine.loop().max_length)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(batcher.close)

    app = FastAPI(title="SRGen", lifespan=lifespan)
    app.state.batcher = batcher
    app.add_middleware(BodyLimit)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    install(app)
    guarded = [Depends(_key_check(config.api_key))]
    started = int(time.time())
    one_at_a_time = CapacityLimiter(1)  # the builder's tokenizer is for one thread

    async def answer(http: Request, body: Body, kind: Kind, requests: Sequence[base.Request]) -> Response:
        frame = Answer(kind, body.model, engine.tokenizer, token_ids=bool(body.return_token_ids))
        prompts = len(requests) // (body.n or 1)
        session = Session(batcher, requests, streams=bool(body.stream), on_completion=metrics.completed)
        if body.stream:
            wanted = body.stream_options is not None and body.stream_options.include_usage
            totals = functools.partial(frame.totals, prompts=prompts) if wanted else None
            events = stream(session, frame, engine.tokenizer, opens=kind == "chat", totals=totals)
            return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        with session:
            completions = await collect(session, _gone(http))
        return JSONResponse(frame.whole(completions, prompts))

    @app.post("/v1/chat/completions", dependencies=guarded, responses=_ERRORS)
    async def chat_completions(http: Request, body: ChatBody) -> Response:
        return await answer(http, body, "chat", await to_thread.run_sync(builder.chat, body, limiter=one_at_a_time))

    @app.post("/v1/completions", dependencies=guarded, responses=_ERRORS)
    async def completions(http: Request, body: CompletionBody) -> Response:
        requests = await to_thread.run_sync(builder.completion, body, limiter=one_at_a_time)
        return await answer(http, body, "text", requests)

    @app.get("/v1/models", dependencies=guarded, responses=_ERRORS)
    async def models() -> dict[str, Any]:
        card = {"id": config.served_model_name, "object": "model", "created": started, "owned_by": "srgen"}
        return {"object": "list", "data": [card | {"root": config.model_path, "srgen": config.use_entropy_control}]}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    async def exposition() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return app


def _key_check(api_key: str | None) -> Callable[[Request], Awaitable[None]]:
    async def check(http: Request) -> None:
        given = http.headers.get("authorization", "")
        if api_key is not None and not hmac.compare_digest(given.encode(), f"Bearer {api_key}".encode()):
            raise ApiError(401, "the API key is missing or wrong", code="invalid_api_key")

    return check


def _gone(http: Request) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass

    return wait

"""The view over HTTP: one page, its documents as JSON, and events. Every request reads; none writes."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from evaluators.presentation.documents.collection import Collection
from evaluators.presentation.documents.pair import pair_documents
from evaluators.presentation.documents.plain_json import to_json
from evaluators.presentation.documents.plot_images import plot_images
from evaluators.presentation.page import policy, render
from evaluators.viewer.guard import Guard, GuardMiddleware
from evaluators.viewer.library import Library, UnknownRunError
from evaluators.viewer.live import Watch
from evaluators.viewer.search import search
from srgen.errors import SRGenError

Runs = Annotated[list[str], Query()]
Place = Annotated[int, Path(ge=0)]
MOST_RUNS = 64
EVENT_SECONDS = 1.0
"""Time between two looks at the runs that are watched."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(library: Library, guard: Guard) -> FastAPI:
    """The app over a results folder."""
    app = FastAPI(title="SRGen view", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(GuardMiddleware, guard=guard)
    pairs = _Pairs()

    @app.exception_handler(SRGenError)
    async def refused(_: Request, error: SRGenError) -> Response:
        told = str(error).replace(f"{library.root}/", "")
        return JSONResponse({"error": told}, 404 if isinstance(error, UnknownRunError) else 422, _HEADERS)

    async def answer(runs: list[str], make: Callable[[Collection], Any]) -> Response:
        def work() -> str:
            return to_json(make(library.collection(_checked(runs))))

        try:
            text = await run_in_threadpool(work)
        except (IndexError, KeyError):
            return JSONResponse({"error": "there is nothing at this address"}, 404, _HEADERS)
        return Response(text, media_type="application/json", headers=_HEADERS)

    @app.get("/")
    async def page() -> Response:
        nonce = secrets.token_urlsafe(18)
        text = render({"kind": "live"}, nonce)
        headers = _HEADERS | {"Content-Security-Policy": policy(nonce, live=True) + "; frame-ancestors 'none'"}
        return HTMLResponse(text, headers=headers)

    @app.get("/data/library")
    async def overview() -> Response:
        def work() -> str:
            library.scan()
            return to_json(library.overview())

        return Response(await run_in_threadpool(work), media_type="application/json", headers=_HEADERS)

    @app.get("/data/contents")
    async def contents(runs: Runs) -> Response:
        return await answer(runs, Collection.contents)

    @app.get("/data/pairs")
    async def compared(runs: Runs) -> Response:
        return await answer(runs, pairs.of)

    @app.get("/data/plots")
    async def plots(runs: Runs) -> Response:
        return await answer(runs, plot_images)

    @app.get("/data/prompts")
    async def prompts(runs: Runs) -> Response:
        return await answer(runs, Collection.prompts)

    @app.get("/data/question/{number}")
    async def question(number: Place, runs: Runs) -> Response:
        return await answer(runs, lambda collection: collection.question(number))

    @app.get("/data/sample/{number}/{run}/{index}")
    async def sample(number: Place, run: Place, index: Place, runs: Runs) -> Response:
        return await answer(runs, lambda collection: collection.sample(number, run, index))

    @app.get("/data/search")
    async def found(runs: Runs, words: Annotated[str, Query(min_length=1, max_length=200)]) -> Response:
        return await answer(runs, partial(search, words=words))

    @app.get("/events")
    async def events(http: Request, runs: Annotated[list[str] | None, Query()] = None) -> Response:
        watch = Watch(library, _checked(runs) if runs else ())
        headers = _HEADERS | {"X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(http, watch), media_type="text/event-stream", headers=headers)

    return app


async def _stream(http: Request, watch: Watch) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    while not await http.is_disconnected():
        news = await run_in_threadpool(watch.news)
        yield f"data: {to_json(news)}\n\n" if news else ": nothing new\n\n"
        await asyncio.sleep(EVENT_SECONDS)


class _Pairs:
    """Comparisons that were made, until a run of theirs changes: they take seconds for many samples."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, ...], tuple[tuple[int, ...], list[dict[str, Any]]]] = {}
        self._lock = threading.Lock()

    def of(self, collection: Collection) -> list[dict[str, Any]]:
        key = tuple(collection.ids)
        state = tuple(
            number
            for run, summary in zip(collection.runs, collection.summaries, strict=True)
            for number in (run.journal.samples, run.journal.correct, summary is not None)
        )
        with self._lock:
            known = self._made.get(key)
            if known is None or known[0] != state:
                documents = pair_documents(collection)
                known = self._made[key] = state, documents
        return known[1]


def _checked(runs: list[str]) -> list[str]:
    if not 0 < len(runs) <= MOST_RUNS or len(set(runs)) < len(runs):
        raise SRGenError(f"name 1 to {MOST_RUNS} runs, each once")
    return runs

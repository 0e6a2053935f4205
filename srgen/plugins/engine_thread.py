"""An engine in a thread of its own, for callers that ask one request at a time and many at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future

from srgen.engines.base import Completion, Engine, Request


class EngineThread:
    """Requests from any thread share the engine's batch."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._futures: dict[str, Future[Completion]] = {}
        self._thread = threading.Thread(target=self._run, name="srgen-engine", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Completion]:
        """The completion, once it is there; what the engine raises becomes the future's exception."""
        future: Future[Completion] = Future()
        if not self._thread.is_alive():
            future.set_exception(RuntimeError("the engine has stopped"))
            return future
        self._futures[request.id] = future
        self._asked.put(request)
        return future

    def close(self) -> None:
        """Finish what was asked for, then release the model."""
        self._asked.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            for completion in self._engine.generate(self._requests()):
                self._futures.pop(completion.id).set_result(completion)
        except BaseException as error:
            for future in list(self._futures.values()):
                future.set_exception(error)
        self._engine.close()

    def _requests(self) -> Iterator[Request | None]:
        """What is asked; None for nothing at present, and to wait only while the engine holds no request."""
        held = 0
        while True:
            try:
                request = self._asked.get(block=held == 0)
            except queue.Empty:
                yield None
            else:
                if request is None:
                    return
                yield request
            held = len(self._futures) - self._asked.qsize()

"""The thread that decodes: it alone touches the model, and shares its batch among all that is asked for."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from srgen.engines.base import Completion, Request, TokenLogprobs
from srgen.engines.transformers.decode_loop import DecodeLoop

log = logging.getLogger(__name__)


class QueueFullError(Exception):
    """More is waiting than may."""


@dataclass(frozen=True, slots=True)
class Progress:
    """New tokens of a sequence in flight."""

    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprobs, ...]


Event = Progress | Completion


@dataclass(slots=True)
class Ticket:
    """A sequence that is asked for, and who wants to hear of it (called in the decoding thread)."""

    request: Request
    deliver: Callable[[Event], None]
    streams: bool = False
    """Deliver its tokens as they come, not only the completion."""
    told: int = 0
    """Tokens delivered so far."""


class Batcher:
    """Continuous batching over a DecodeLoop. `submit` and `cancel` may be called from any thread."""

    def __init__(self, loop: DecodeLoop, batch_size: int, max_queue: int) -> None:
        self._loop = loop
        self._batch_size = batch_size
        self._max_queue = max_queue
        self._wake = threading.Condition()
        self._waiting: deque[Ticket] = deque()
        self._running: dict[str, Ticket] = {}
        self._cancelled: set[str] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Sequences without a place."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Sequences being decoded."""
        return len(self._running)

    def submit(self, tickets: Sequence[Ticket]) -> None:
        """Queue the sequences of one request, all or none. Raises QueueFullError."""
        with self._wake:
            asked = len(self._waiting) + len(self._running) + len(tickets)
            if self._closing or asked > self._batch_size + self._max_queue:
                raise QueueFullError
            self._waiting.extend(tickets)
            self._wake.notify()

    def cancel(self, request_ids: Sequence[str]) -> None:
        """Drop sequences wherever they are; nothing more is delivered for those in the queue."""
        with self._wake:
            self._cancelled.update(request_ids)
            self._wake.notify()

    def close(self) -> None:
        """Decode what is there, take nothing more, and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._wait():
            try:
                self._advance()
            except Exception as error:
                # A pass that failed (out of memory, say) loses its rows, not the server.
                log.exception("a decoding step failed")
                self._fail(f"the decoding step failed: {type(error).__name__}")

    def _wait(self) -> bool:
        """Sleep while there is nothing to do; False once closed and done."""
        with self._wake:
            while not (self._waiting or self._running):
                self._cancelled.clear()
                if self._closing:
                    return False
                self._wake.wait()
            return True

    def _advance(self) -> None:
        """Make the changes that were asked for, then one step of the batch."""
        for request_id in self._drop_cancelled():
            self._loop.cancel(request_id)
        completions = self._loop.admit(self._take())
        if len(self._loop):
            completions += self._loop.step()
        for completion in completions:
            _tell(self._running.pop(completion.id), completion)
        for row in self._loop.rows:
            self._tell_progress(self._running[row.request.id], row.tokens, row.logprobs)

    def _drop_cancelled(self) -> list[str]:
        """Forget cancelled tickets; those that have a row."""
        with self._wake:
            if not self._cancelled:
                return []
            cancelled, self._cancelled = self._cancelled, set()
            self._waiting = deque(t for t in self._waiting if t.request.id not in cancelled)
            return [request_id for request_id in cancelled if self._running.pop(request_id, None) is not None]

    def _take(self) -> list[Request]:
        """Requests from the queue for the free places."""
        with self._wake:
            count = min(len(self._waiting), self._batch_size - len(self._running))
            tickets = [self._waiting.popleft() for _ in range(count)]
            self._running |= {ticket.request.id: ticket for ticket in tickets}
        return [ticket.request for ticket in tickets]

    def _tell_progress(self, ticket: Ticket, tokens: list[int], logprobs: list[TokenLogprobs]) -> None:
        if ticket.streams and len(tokens) > ticket.told:
            _tell(ticket, Progress(tuple(tokens[ticket.told :]), tuple(logprobs[ticket.told :])))
            ticket.told = len(tokens)

    def _fail(self, reason: str) -> None:
        self._loop.clear()
        with self._wake:
            lost, self._running = list(self._running.values()), {}
        for ticket in lost:
            failure = Completion(
                id=ticket.request.id, prompt_tokens=0, token_ids=(), text="", finish_reason="error", error=reason
            )
            _tell(ticket, failure)


def _tell(ticket: Ticket, event: Event) -> None:
    # Whoever asked may be gone, its event loop with it.
    with suppress(RuntimeError):
        ticket.deliver(event)

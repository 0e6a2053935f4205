"""What a worker does: load the model once, pull requests when it is free, hand over each completion as its row ends.

The same loop serves a local process (local_fleet.py) and a Ray actor (ray_fleet.py); both give
it an inbox and a way to send messages.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from srgen.engines.base import Completion, Engine, Request
from srgen.errors import SRGenError

BEAT_SECONDS = 1.0
"""Least time between two signs of life that carry no news."""

EngineFactory = Callable[[], Engine]
"""Builds the engine in the worker; picklable."""


@dataclass(frozen=True, slots=True)
class Work:
    """To the worker: requests to generate, in this order."""

    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Recall:
    """To the worker: give back up to `count` requests that are not begun. Always answered by one `Returned`."""

    count: int


@dataclass(frozen=True, slots=True)
class Stop:
    """To the worker: drop everything and end."""


Order = Work | Recall | Stop


@dataclass(frozen=True, slots=True)
class Ready:
    """From the worker: the model is loaded, there are `batch_size` places."""

    batch_size: int


@dataclass(frozen=True, slots=True)
class Beat:
    """From the worker: it lives, and has begun these requests since it last said so."""

    begun: tuple[str, ...] = ()
    tokens: int = 0
    """Tokens that the samples in flight have by now; 0 where the engine does not say."""


@dataclass(frozen=True, slots=True)
class Done:
    """From the worker: a completion, with its tokens as strings where the request wants them."""

    completion: Completion
    tokens: tuple[str, ...] = ()
    """The string of every generated token."""
    corrections: tuple[tuple[str, str], ...] = ()
    """The most likely token's string before and after each reflection."""


@dataclass(frozen=True, slots=True)
class Returned:
    """From the worker: the answer to a recall."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resized:
    """From the worker: it ran out of memory and goes on with a smaller batch."""

    batch_size: int


@dataclass(frozen=True, slots=True)
class Died:
    """The worker has ended without being asked to; its own last word, or its launcher's."""

    reason: str
    fatal: bool = False
    """The user has to change something: another worker would fail the same way."""


@dataclass(frozen=True, slots=True)
class Left:
    """From the worker: it was told to stop and has released its model. The last report."""


Report = Ready | Beat | Done | Returned | Resized | Died | Left


class _Stopped(BaseException):
    """Unwinds the engine when the worker is told to stop; no `except Exception` on the way holds it up."""


class _Feed:
    """The engine's source of requests, and the worker's ear."""

    def __init__(self, inbox: SimpleQueue[Order], send: Callable[[Report], None], tokens: Callable[[], int]) -> None:
        """`tokens` says how many tokens the samples in flight have."""
        self._inbox = inbox
        self._tokens = tokens
        self._send = send
        self._waiting: deque[Request] = deque()
        self._running: dict[str, Request] = {}
        self._beat_at = 0.0

    def __iter__(self) -> Iterator[Request | None]:
        return self

    def __next__(self) -> Request | None:
        self._listen()
        if not self._waiting:
            self.beat()
            return None
        request = self._waiting.popleft()
        self._running[request.id] = request
        self.beat((request.id,))
        return request

    def finish(self, completion: Completion) -> Request:
        """The completion's request, which is no longer running."""
        return self._running.pop(completion.id)

    def after_step(self) -> None:
        """The engine has made a step: hear what was ordered meanwhile, and say that the worker lives.

        An engine whose places are all taken asks for no request before a row ends, which may take minutes. Until then
        a worker with nothing to do would wait for what it could take over from this one.
        """
        self._listen()
        self.beat()

    def restart(self) -> None:
        """The rows in flight are lost: they are handed out again, first."""
        self._waiting.extendleft(reversed(self._running.values()))
        self._running.clear()

    def beat(self, begun: tuple[str, ...] = ()) -> None:
        """Tell the parent that the worker lives: always when there is news, otherwise now and then."""
        now = time.monotonic()
        if begun or now - self._beat_at >= BEAT_SECONDS:
            self._beat_at = now
            self._send(Beat(begun, self._tokens()))

    def _listen(self) -> None:
        """Take every order that is there; block only while the engine holds nothing."""
        with suppress(Empty):
            while True:
                idle = not (self._waiting or self._running)
                self._obey(self._inbox.get(block=idle))

    def _obey(self, order: Order) -> None:
        match order:
            case Work(requests):
                self._waiting.extend(requests)
            case Recall(count):
                kept = max(0, len(self._waiting) - count)
                back = [self._waiting.pop().id for _ in range(len(self._waiting) - kept)]
                self._send(Returned(tuple(reversed(back))))
            case Stop():
                raise _Stopped


def serve(load: EngineFactory, inbox: SimpleQueue[Order], send: Callable[[Report], None]) -> None:
    """Work until told to stop.

    Raises what loading raises, and what generating raises but for running out of memory with a batch of several:
    that halves the batch and tries again.
    """
    engine = load()
    # Not every engine sees its samples grow: an endpoint gives each as a whole.
    feed = _Feed(inbox, send, lambda: getattr(engine, "tokens_in_flight", 0))
    engine.on_step = feed.after_step
    send(Ready(engine.batch_size))
    with suppress(_Stopped):
        while True:
            if _generate(engine, feed, send):
                continue
            _free_memory()
            feed.restart()
            engine.batch_size //= 2
            print(f"out of memory: going on with batches of {engine.batch_size}", file=sys.stderr, flush=True)
            send(Resized(engine.batch_size))
    engine.close()
    send(Left())


def last_words(error: BaseException) -> Died:
    """What to report of the exception that ends a worker."""
    if isinstance(error, SRGenError):
        return Died(str(error), fatal=True)
    return Died(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}")


def _generate(engine: Engine, feed: _Feed, send: Callable[[Report], None]) -> bool:
    """Generate until the feed stops; False after running out of memory with more than one place in the batch."""
    try:
        for completion in engine.generate(feed):
            send(_done(engine, feed.finish(completion), completion))
    except Exception as error:
        if engine.batch_size > 1 and _out_of_memory(error):
            return False
        raise
    return True


def _done(engine: Engine, request: Request, completion: Completion) -> Done:
    strings: tuple[str, ...] = ()
    if (request.record_entropy or request.record_tokens) and all(token >= 0 for token in completion.token_ids):
        strings = tuple(engine.decode_tokens(completion.token_ids))
    if not request.record_entropy:
        return Done(completion, strings)
    pairs = [(reflection.token_before, reflection.token_after) for reflection in completion.reflections]
    before, after = (engine.decode_tokens([pair[side] for pair in pairs]) for side in (0, 1))
    return Done(completion, strings, tuple(zip(before, after, strict=True)))


def _out_of_memory(error: Exception) -> bool:
    # torch's own class is recognised by name: a worker whose engine does without torch does not import it.
    named = any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__)
    return named or isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def _free_memory() -> None:
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()

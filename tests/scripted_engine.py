"""An engine without a model: rows of seeded lengths, a fixed time per step, and the accidents that a test asks for."""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from evaluators.running.devices import WorkerPlace
from evaluators.running.workers import EngineFactory
from srgen.engines.base import Completion, Reflection, Request
from srgen.errors import ConfigError


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """What the engine does; a worker builds its own from a copy."""

    median_steps: float = 5
    sigma: float = 1.0
    """Of the log-normal lengths, most of it between questions."""
    seed: int = 0
    step_seconds: float = 0.001
    load_seconds: float = 0.0
    batch_size: int = 1
    deadly: frozenset[str] = frozenset()
    """Requests that kill their worker."""
    silent: frozenset[str] = frozenset()
    """Requests at which the worker hangs."""
    hopeless: frozenset[str] = frozenset()
    """Requests that end with an error."""
    helped: float = 0.0
    """Chance that SRGen makes an answer right, whatever it was."""
    memory: int | None = None
    """Rows that fit; more raise OutOfMemoryError."""
    unusable: str | None = None
    """Loading fails with this message for the user."""
    bar: bool = False
    """Loading draws a bar, as transformers does."""
    crashes: bool = False
    """Loading fails with an exception of no use to the user."""

    def steps(self, request_id: str) -> int:
        """Length of a request's row, from nothing but its id within its run."""
        request_id = request_id.rpartition(":")[2]
        question = random.Random(f"{self.seed}:{request_id.rpartition('/')[0]}").gauss(0, 1)
        sample = random.Random(f"{self.seed}:{request_id}").gauss(0, 1)
        return max(1, round(self.median_steps * math.exp(self.sigma * (0.8 * question + 0.6 * sample))))

    def engine(self, place: WorkerPlace) -> EngineFactory:
        """The `engine` argument of `evaluate`."""
        return ScriptedLoader(self)


@dataclass(frozen=True)
class ScriptedLoader:
    script: Script

    def __call__(self) -> ScriptedEngine:
        print("loading the scripted engine", flush=True)
        for _ in tqdm(range(1)) if self.script.bar else ():
            pass
        time.sleep(self.script.load_seconds)
        if self.script.unusable:
            raise ConfigError(self.script.unusable)
        if self.script.crashes:
            raise RuntimeError("the driver is not there")
        return ScriptedEngine(self.script)


class ScriptedEngine:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.batch_size = script.batch_size
        self.on_step: Callable[[], None] = lambda: None

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        source = iter(requests)
        rows: dict[str, tuple[Request, int, float]] = {}
        while True:
            while len(rows) < self.batch_size and (request := next(source)) is not None:
                rows[request.id] = request, self.script.steps(request.id), time.monotonic()
                self._accident(request, len(rows))
            time.sleep(self.script.step_seconds)
            self.on_step()
            for key, (request, left, began) in list(rows.items()):
                rows[key] = request, left - 1, began
                if left == 1:
                    del rows[key]
                    print(f"row {began} {time.monotonic()}", flush=True)
                    yield self._completion(request, time.monotonic() - began)

    def decode_tokens(self, token_ids: Sequence[int]) -> list[str]:
        return [f"<{token}>" for token in token_ids]

    def close(self) -> None:
        print(f"closed {time.monotonic()}", flush=True)

    def _accident(self, request: Request, rows: int) -> None:
        if request.id in self.script.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if request.id in self.script.silent:
            time.sleep(3600)
        if self.script.memory is not None and rows > self.script.memory:
            raise OutOfMemoryError("CUDA out of memory (scripted)")

    def _completion(self, request: Request, seconds: float) -> Completion:
        draw = random.Random(request.seed)
        tokens = tuple(draw.randrange(1000) for _ in range(self.script.steps(request.id)))
        reflection = Reflection(
            position=0,
            entropy_before=2.0,
            entropy_after=1.0,
            threshold=1.5,
            losses=(1.0, 0.5, 0.25),
            delta_norm=0.1,
            token_before=7,
            token_after=tokens[0],
            probabilities_before=(0.5, 0.25),
            probabilities_after=(0.25, 0.5),
        )
        answer = draw.randrange(2)
        if request.srgen and random.Random(f"helped {request.seed}").random() < self.script.helped:
            answer = 1
        hopeless = request.id in self.script.hopeless
        return Completion(
            id=request.id,
            prompt_tokens=3,
            token_ids=tokens,
            text=f"The answer is \\boxed{{{answer}}}.",
            finish_reason="error" if hopeless else "stop",
            reflections=(reflection,) if request.srgen else (),
            entropies=(math.nan, *(0.5 for _ in tokens[1:])) if request.record_entropy else None,
            seconds=seconds,
            error="the prompt is too long" if hopeless else None,
        )

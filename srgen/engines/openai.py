"""Any OpenAI-compatible endpoint as an engine. Nothing is decoded here: places in the batch are requests in flight."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from typing import Any

from srgen.engines import EngineConfig
from srgen.engines.base import Completion, FinishReason, Message, Reflection, Request
from srgen.engines.openai_signals import LIKELIEST, asked, signals_of
from srgen.errors import ConfigError
from srgen.extras import install
from srgen.overrides import as_overrides

try:
    import openai
except ImportError:
    raise ConfigError(f"the openai backend needs the openai package: {install('openai')}") from None

ATTEMPTS = 20
"""Further attempts at a request, with exponential backoff up to 8 s: about two minutes."""
TIMEOUT = 3600.0
"""Seconds that an answer may take."""
BEAT = 0.5
"""Seconds between two signs of life while nothing ends."""
OWNER = "srgen"
"""`owned_by` of our own server's models, which take SRGen's parameters and give token ids."""

_FATAL = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


class OpenAIEngine:
    """Sends up to `batch_size` requests at once.

    A failure that may pass (no connection, 408, 409, 429, 5xx) is tried again with backoff, and is an error completion
    only when that has failed for minutes. What the user has to change raises ConfigError.
    """

    def __init__(self, client: openai.OpenAI, model: str, batch_size: int = 8) -> None:
        self.batch_size = batch_size
        self.on_step: Callable[[], None] = _nothing
        self._client = client
        self._model = model
        cards = _models(client)
        self._is_ours = any(card.owned_by == OWNER for card in cards)
        self.models = tuple(card.id for card in cards)
        """What the endpoint lists."""

    @classmethod
    def load(cls, config: EngineConfig) -> OpenAIEngine:
        """Connect to `base_url`. Raises ConfigError when it is missing, does not answer or refuses the key."""
        if not config.base_url:
            raise ConfigError("the openai backend needs --base_url, such as http://localhost:8000/v1")
        key = os.environ.get(config.api_key_env) or "none"
        client = openai.OpenAI(base_url=config.base_url, api_key=key, max_retries=ATTEMPTS, timeout=TIMEOUT)
        return cls(client, config.model_path, config.batch_size)

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        """See Engine.generate."""
        source = iter(requests)
        exhausted = False
        flying: set[Future[Completion]] = set()
        pool = ThreadPoolExecutor(self.batch_size, thread_name_prefix="request")
        try:
            while flying or not exhausted:
                while not exhausted and len(flying) < self.batch_size:
                    try:
                        request = next(source)
                    except StopIteration:
                        exhausted = True
                        break
                    if request is None:
                        break
                    flying.add(pool.submit(self._complete, request))
                done, flying = wait(flying, timeout=BEAT, return_when=FIRST_COMPLETED)
                self.on_step()
                for future in done:
                    yield future.result()
        finally:
            # Left early: what has not begun is given up, and nobody waits for the rest.
            pool.shutdown(wait=False, cancel_futures=True)

    def decode_tokens(self, token_ids: Sequence[int]) -> list[str]:
        """The ids as text: an endpoint keeps its vocabulary to itself."""
        return [str(token) for token in token_ids]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _complete(self, request: Request) -> Completion:
        started = time.monotonic()
        try:
            return self._read(request, self._ask(request), started)
        except _FATAL as error:
            raise ConfigError(f"{self._client.base_url} refuses the run: {_reason(error)}") from error
        except openai.OpenAIError as error:
            if request.record_signals and isinstance(error, openai.BadRequestError):
                self._check_logprobs(request, error)
            return Completion(
                id=request.id,
                prompt_tokens=0,
                token_ids=(),
                text="",
                finish_reason="error",
                seconds=time.monotonic() - started,
                error=_reason(error),
            )

    def _check_logprobs(self, request: Request, error: openai.OpenAIError) -> None:
        """Raise ConfigError where an endpoint refused a request only for the log-probabilities."""
        try:
            self._ask(replace(request, record_signals=False))
        except openai.OpenAIError:
            return
        raise ConfigError(
            f"the endpoint does not give {LIKELIEST} log-probabilities a token; leave --record_signals out: "
            f"{_reason(error)}"
        ) from error

    def _ask(self, request: Request) -> Any:
        sampling = request.sampling
        shared: dict[str, Any] = {
            "model": self._model,
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature if sampling.do_sample else 0.0,
            "top_p": sampling.top_p if sampling.do_sample else 1.0,
            "seed": request.seed,
            "stop": list(sampling.stop) or openai.omit,
            "extra_body": self._extra(request),
        }
        prompt = request.prompt
        if not isinstance(prompt, str) and prompt and isinstance(prompt[0], Message):
            turns: list[Any] = [asdict(turn) for turn in prompt if isinstance(turn, Message)]
            shared |= asked(is_chat=True) if request.record_signals else {}
            return self._client.chat.completions.create(messages=turns, **shared)
        text_or_ids: Any = prompt if isinstance(prompt, str) else list(prompt)
        shared |= asked(is_chat=False) if request.record_signals else {}
        return self._client.completions.create(prompt=text_or_ids, **shared)

    def _extra(self, request: Request) -> dict[str, Any]:
        """Fields beyond OpenAI's own, sent only where they are wanted or known to be taken."""
        sampling = request.sampling
        if sampling.top_h:
            raise ConfigError("top_h needs the transformers engine: endpoints have no such sampling")
        extra = {name: value for name in ("top_k", "min_p") if (value := getattr(sampling, name))}
        if request.template_arguments:
            extra["chat_template_kwargs"] = json.loads(request.template_arguments)
        if self._is_ours:
            method = False if request.srgen is None else as_overrides(request.srgen)
            return extra | {"srgen": method, "return_token_ids": True}
        if request.srgen is not None:
            raise ConfigError("this endpoint does not know SRGen; run `python -m srgen.server`, or make a base run")
        return extra

    def _read(self, request: Request, answer: Any, started: float) -> Completion:
        choice, usage = answer.choices[0], answer.usage
        extra = choice.model_extra or {}
        text = choice.message.content if hasattr(choice, "message") else choice.text
        count = usage.completion_tokens if usage is not None else 0
        ids = extra.get("token_ids")
        tokens = tuple(ids) if ids else (UNKNOWN_TOKEN,) * count
        return Completion(
            id=request.id,
            prompt_tokens=usage.prompt_tokens if usage is not None else 0,
            # Without ids the number of tokens is still known, and that is what a run keeps of them.
            token_ids=tokens,
            text=text or "",
            reasoning=_reasoning(choice),
            finish_reason=_FINISH.get(choice.finish_reason, "stop"),
            reflections=tuple(Reflection.from_json(entry) for entry in extra.get("srgen") or ()),
            signals=signals_of(choice, len(tokens)) if request.record_signals else None,
            seconds=time.monotonic() - started,
        )


def _reasoning(choice: Any) -> str | None:
    """The thoughts that servers give beside the content, under the name that is usual or vLLM's newer one."""
    extra = getattr(getattr(choice, "message", None), "model_extra", None) or {}
    return extra.get("reasoning_content") or extra.get("reasoning") or None


UNKNOWN_TOKEN = -1
"""Stands for each token of an endpoint that does not tell its ids."""


def _models(client: openai.OpenAI) -> list[Any]:
    try:
        return list(client.with_options(max_retries=2, timeout=30).models.list())
    except _FATAL as error:
        raise ConfigError(f"{client.base_url} does not list its models: {_reason(error)}") from error
    except openai.OpenAIError as error:
        raise ConfigError(f"{client.base_url} does not answer: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _nothing() -> None:
    """The default of `on_step`."""


ENGINE = OpenAIEngine

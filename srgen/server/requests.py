"""From a request's body to the engine's requests."""

from __future__ import annotations

import copy
import hashlib
import secrets
import uuid
from collections.abc import Sequence
from typing import Any

from srgen.chat import encode
from srgen.config import Sampling, SRGenConfig
from srgen.engines.base import Message, Request
from srgen.errors import ConfigError
from srgen.overrides import FIXED
from srgen.server.errors import ApiError
from srgen.server.protocol import Body, ChatBody, CompletionBody
from srgen.server.settings import METHOD, ServerConfig

MAX_TIMES = 100
MAX_WINDOW = 100_000
LONG_TOKEN = 64
"""Characters that one token may stand for, where the vocabulary has no longer ones."""


class RequestBuilder:
    """Checks bodies against the model and builds one engine request per choice. Not thread-safe."""

    def __init__(self, config: ServerConfig, tokenizer: Any, vocabulary: int, max_length: int) -> None:
        self._config = config
        # Its own copy: the decoding thread uses the other one at the same time.
        self._tokenizer = copy.deepcopy(tokenizer)
        self._vocabulary = vocabulary
        self._max_length = max_length
        self._longest_token = max(LONG_TOKEN, *map(len, tokenizer.get_vocab()))

    def chat(self, body: ChatBody) -> list[Request]:
        """Requests for a chat. Raises ApiError."""
        self._check_model(body.model)
        roles = {"developer": "system"}
        messages = [Message(roles.get(turn.role, turn.role), turn.text()) for turn in body.messages]
        limit = body.max_completion_tokens or body.max_tokens
        logprobs = (body.top_logprobs or 0) if body.logprobs else None
        return self._requests(body, [self._encode(messages, "messages")], limit, logprobs)

    def completion(self, body: CompletionBody) -> list[Request]:
        """Requests for plain prompts. Raises ApiError."""
        self._check_model(body.model)
        prompt = body.prompt
        prompts: list[Any] = [prompt] if isinstance(prompt, str) or isinstance(prompt[0], int) else list(prompt)
        return self._requests(body, [self._encode(p, "prompt") for p in prompts], body.max_tokens, body.logprobs)

    def _requests(
        self, body: Body, prompts: list[tuple[int, ...]], limit: int | None, logprobs: int | None
    ) -> list[Request]:
        longest = max(map(len, prompts))
        if limit is not None and longest + limit > self._max_length:
            raise ApiError(
                400,
                f"the prompt has {longest} tokens and {limit} are asked for, which is more than the {self._max_length} "
                f"that the model takes; ask for {self._max_length - longest} at most",
                param="max_tokens" if body.max_tokens is not None else "max_completion_tokens",
                code="context_length_exceeded",
            )
        sampling, method = self._sampling(body, limit), self._method(body)
        seed = secrets.randbits(63) if body.seed is None else body.seed
        return [
            Request(
                id=uuid.uuid4().hex,
                prompt=prompt,
                sampling=sampling,
                seed=choice_seed(seed, index),
                srgen=method,
                logprobs=logprobs,
            )
            for prompt in prompts
            for index in range(body.n or 1)
        ]

    def _sampling(self, body: Body, limit: int | None) -> Sampling:
        temperature = self._config.temperature if body.temperature is None else body.temperature
        return Sampling(
            do_sample=temperature > 0,
            temperature=temperature or 1.0,
            top_p=body.top_p or self._config.top_p,
            top_k=max(0, body.top_k or 0),
            min_p=body.min_p or 0.0,
            top_h=body.top_h or 0.0,
            max_new_tokens=limit or self._config.max_tokens,
            stop=body.stops(),
        )

    def _method(self, body: Body) -> SRGenConfig | None:
        """SRGen's parameters for the request; None where it is off."""
        asked = self._config.use_entropy_control if body.srgen is None else body.srgen
        if asked is False:
            return None
        changed = {} if asked is True else asked
        for name in changed:
            if name in FIXED:
                raise ApiError(
                    422, f"srgen.{name} is the server's own and cannot be changed by a request", param="srgen"
                )
        server = {name: getattr(self._config.srgen, name) for name in METHOD}
        try:
            method = SRGenConfig.from_mapping(server | changed)
        except ConfigError as error:
            raise ApiError(422, f"srgen: {error}", param="srgen") from error
        if method.times > MAX_TIMES or method.adaptive_entropy_N > MAX_WINDOW:
            message = f"srgen: times is at most {MAX_TIMES} and adaptive_entropy_N at most {MAX_WINDOW}"
            raise ApiError(422, message, param="srgen")
        return method

    def _encode(self, prompt: str | Sequence[Message] | Sequence[int], param: str) -> tuple[int, ...]:
        if _characters(prompt) > self._max_length * self._longest_token:
            # Not even encoded: that takes seconds for megabytes.
            raise self._too_long("far more tokens", param)
        try:
            tokens = encode(self._tokenizer, prompt)
        except Exception as error:
            # Chat templates refuse what they do not know with errors of their own.
            raise ApiError(400, f"the model's chat template refuses these messages: {error}", param=param) from error
        if not tokens:
            raise ApiError(400, "the prompt is empty", param=param)
        if max(tokens) >= self._vocabulary:
            raise ApiError(400, f"the prompt has a token outside the vocabulary of {self._vocabulary}", param=param)
        if len(tokens) >= self._max_length:
            raise self._too_long(f"{len(tokens)} tokens", param)
        return tuple(tokens)

    def _too_long(self, tokens: str, param: str) -> ApiError:
        return ApiError(
            400,
            f"the prompt has {tokens}, and the model takes at most {self._max_length}, answer included",
            param=param,
            code="context_length_exceeded",
        )

    def _check_model(self, name: str) -> None:
        if name not in (self._config.served_model_name, self._config.model_path):
            message = f"there is no model {name!r}; this server has {self._config.served_model_name!r}"
            raise ApiError(404, message, param="model", code="model_not_found")


def _characters(prompt: str | Sequence[Message] | Sequence[int]) -> int:
    """Length of a prompt's text; 0 for token ids."""
    if isinstance(prompt, str):
        return len(prompt)
    return sum(len(turn.content) for turn in prompt if isinstance(turn, Message))


def choice_seed(seed: int, index: int) -> int:
    """Seed of one choice's random stream, in [0, 2**63)."""
    digest = hashlib.sha256(f"{seed}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1

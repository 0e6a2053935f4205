"""Inspect's model provider `srgen`: `inspect eval TASK --model srgen/FOLDER -M times=3`.

Arguments (`-M`) are those of `srgen.plugins.arguments`; `-M use_entropy_control=false` generates plainly. Reflections
are in each output's metadata.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import anyio
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)

from srgen.config import Sampling
from srgen.engines import load_engine
from srgen.engines.base import Completion, Message, Request
from srgen.errors import ConfigError
from srgen.plugins.arguments import Seeds, plugin_settings, reflection_rows
from srgen.plugins.engine_thread import EngineThread


class SRGenAPI(ModelAPI):  # type: ignore[misc]
    """Concurrent samples share the engine's batch."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008
        **arguments: Any,
    ) -> None:
        """Load the model. Raises ConfigError for an argument that is unknown or out of range."""
        super().__init__(model_name, base_url, api_key, [], config)
        self._settings = plugin_settings(model_name, arguments)
        self._engine = EngineThread(load_engine(self._settings.engine))
        self._seeds = Seeds(self._settings.seed)
        self._names = itertools.count()
        self._waiters = anyio.CapacityLimiter(self.max_connections())

    def max_connections(self) -> int:
        """Samples asked for at once: those of a batch, and as many that wait for a place."""
        return 2 * self._settings.engine.batch_size

    async def generate(self, input: Sequence[Any], tools: Any, tool_choice: Any, config: Any) -> Any:
        """One response to a chat. Raises ConfigError for tools, which SRGen's engine does not offer."""
        if tools:
            raise ConfigError("the provider srgen has no tools; choose a task without them")
        chat = tuple(Message(message.role, message.text) for message in input)
        request = Request(
            id=str(next(self._names)),
            prompt=chat,
            sampling=_sampling(config),
            seed=Seeds(config.seed).next(repr(chat)) if config.seed is not None else self._seeds.next(repr(chat)),
            srgen=self._settings.srgen,
        )
        future = self._engine.submit(request)
        return self._output(await anyio.to_thread.run_sync(future.result, limiter=self._waiters))

    def close(self) -> None:
        """Release the model."""
        self._engine.close()

    async def aclose(self) -> None:
        """Release the model."""
        await anyio.to_thread.run_sync(self.close)

    def _output(self, done: Completion) -> Any:
        if done.error:
            raise RuntimeError(f"the sample could not be generated: {done.error}")
        message = ChatMessageAssistant(content=done.text, model=self.model_name, source="generate")
        reason = "max_tokens" if done.finish_reason == "length" else "stop"
        tokens = len(done.token_ids)
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=message, stop_reason=reason)],
            usage=ModelUsage(
                input_tokens=done.prompt_tokens, output_tokens=tokens, total_tokens=done.prompt_tokens + tokens
            ),
            time=done.seconds,
            metadata={"reflection_count": len(done.reflections), "reflections": reflection_rows(done)},
        )


def _sampling(config: Any) -> Sampling:
    """Inspect's settings; what it leaves open is SRGen's default. A temperature of 0 is greedy decoding."""
    names = {"top_p": config.top_p, "top_k": config.top_k, "max_new_tokens": config.max_tokens}
    given = {name: value for name, value in names.items() if value is not None}
    if config.temperature == 0:
        return Sampling(do_sample=False, stop=tuple(config.stop_seqs or ()), **given)
    drawn = {} if config.temperature is None else {"temperature": config.temperature}
    return Sampling(stop=tuple(config.stop_seqs or ()), **given, **drawn)


@modelapi(name="srgen")  # type: ignore[untyped-decorator]
def srgen() -> type[SRGenAPI]:
    """The provider, by the name that inspect knows it by."""
    return SRGenAPI

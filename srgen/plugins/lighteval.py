"""lighteval's custom model: `lighteval custom "MODEL,times=3" srgen/plugins/lighteval.py TASKS --save-details`.

lighteval hands a custom model its name alone, so the arguments of `srgen.plugins.arguments` follow the name, and with
them `temperature`, `top_p`, `top_k` and `max_new_tokens`; `use_entropy_control=false` generates plainly. Reflections
are in the details, in `doc.specific.srgen`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from lighteval.models.abstract_model import LightevalModel
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.prompt_manager import PromptManager
from transformers import AutoTokenizer

from srgen.config import Sampling, parse_value
from srgen.demo_model import resolve_model_path
from srgen.engines import load_engine
from srgen.engines.base import Completion, Request
from srgen.errors import ConfigError
from srgen.plugins.arguments import Seeds, plugin_settings, reflection_rows

_GENERATION = {"temperature": "float", "top_p": "float", "top_k": "int", "max_new_tokens": "int"}


class SRGenLightevalModel(LightevalModel):  # type: ignore[misc]
    """Generates with SRGen's engine; it has no log-likelihoods, for the method is about generation."""

    def __init__(self, config: Any) -> None:
        """Load the model that `config.model_name` names. Raises ConfigError for a wrong argument."""
        self.config = config
        path, arguments = _parsed(config.model_name)
        generation = {name: getattr(config.generation_parameters, name) for name in _GENERATION}
        given = {
            name: parse_value(name, arguments.pop(name), _GENERATION[name])
            for name in _GENERATION.keys() & arguments.keys()
        }
        self._generation = {name: value for name, value in (generation | given).items() if value is not None}
        self._settings = plugin_settings(path, arguments)
        self._engine = load_engine(self._settings.engine)
        self._tokenizer = AutoTokenizer.from_pretrained(resolve_model_path(path))
        self._chat = bool(self._tokenizer.chat_template)
        self._prompts = PromptManager(self._chat, self._tokenizer, config.system_prompt)
        self._seeds = Seeds(self._settings.seed)
        self._cache = _NoCache()

    @property
    def tokenizer(self) -> Any:
        """The model's."""
        return self._tokenizer

    @property
    def add_special_tokens(self) -> bool:
        """Whether a prompt still lacks its special tokens: a rendered chat has them."""
        return not self._chat

    @property
    def max_length(self) -> int:
        """Tokens of a prompt with its response at most."""
        return int(self._tokenizer.model_max_length)

    def cleanup(self) -> None:
        """Release the model."""
        self._engine.close()

    def greedy_until(self, docs: Sequence[Any]) -> list[ModelResponse]:
        """A response per document, with all its samples; the documents share the engine's batch.

        Despite the name it samples where the temperature is above 0. Raises ConfigError where several samples are
        asked for without one.
        """
        prompts = [self._tokens(doc) for doc in docs]
        requests = [
            self._request(f"{number}/{sample}", prompt, doc)
            for number, (doc, prompt) in enumerate(zip(docs, prompts, strict=True))
            for sample in range(doc.num_samples)
        ]
        done = {completion.id: completion for completion in self._engine.generate(requests)}
        return [
            _response(doc, prompt, [done[f"{number}/{sample}"] for sample in range(doc.num_samples)])
            for number, (doc, prompt) in enumerate(zip(docs, prompts, strict=True))
        ]

    def loglikelihood(self, docs: Any) -> NoReturn:
        """Refused: raises ConfigError."""
        raise ConfigError("the model srgen generates only; for tasks of log-likelihoods use lighteval's accelerate")

    loglikelihood_rolling = loglikelihood

    def _tokens(self, doc: Any) -> tuple[int, ...]:
        text = self._prompts.prepare_prompt(doc)
        return tuple(self._tokenizer(text, add_special_tokens=self.add_special_tokens)["input_ids"])

    def _request(self, name: str, prompt: tuple[int, ...], doc: Any) -> Request:
        return Request(
            id=name,
            prompt=prompt,
            sampling=self._sampling(doc),
            seed=self._seeds.next(repr(prompt)),
            srgen=self._settings.srgen,
        )

    def _sampling(self, doc: Any) -> Sampling:
        """The arguments' settings, and where they say nothing the task's; a chat ends with its turn."""
        given = {"max_new_tokens": doc.generation_size} if doc.generation_size else {}
        given |= self._generation
        stop = () if self._chat else tuple(doc.stop_sequences or ())
        if given.pop("temperature", 0) == 0:
            if doc.num_samples > 1:
                raise ConfigError(f"the task asks for {doc.num_samples} samples: give a temperature above 0")
            return Sampling(do_sample=False, stop=stop, max_new_tokens=given.get("max_new_tokens", 4096))
        return Sampling(stop=stop, **({"top_p": 1.0} | given | {"temperature": self._generation["temperature"]}))


class _NoCache:
    """In place of lighteval's cache, which would hand out the responses of an earlier version under the same name."""

    def _init_registry(self, registry: Any) -> None:
        """lighteval tells its tasks."""


def _parsed(name: str) -> tuple[str, dict[str, Any]]:
    """`MODEL,times=3,...` as the model and its arguments. Raises ConfigError for a part that is no argument."""
    path, *parts = name.split(",")
    arguments = {}
    for part in parts:
        argument, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"behind the model's name come arguments like times=3, not {part!r}")
        arguments[argument.strip()] = value.strip()
    return path, arguments


def _response(doc: Any, prompt: tuple[int, ...], done: Sequence[Completion]) -> ModelResponse:
    for completion in done:
        if completion.error:
            raise RuntimeError(f"document {doc.id} could not be generated: {completion.error}")
    told: list[Mapping[str, Any]] = [
        {"finish_reason": completion.finish_reason, "reflections": reflection_rows(completion)} for completion in done
    ]
    doc.specific = {**(doc.specific or {}), "srgen": json.dumps(told)}  # text: the details are a table of one type
    return ModelResponse(
        input=doc.query,
        input_tokens=list(prompt),
        text=[completion.text for completion in done],
        output_tokens=[list(completion.token_ids) for completion in done],
    )

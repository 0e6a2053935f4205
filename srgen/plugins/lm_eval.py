"""lm-eval's model `srgen`: `python -m srgen.lm_eval run --model srgen --model_args pretrained=MODEL --tasks ...`.

Arguments are those of `srgen.plugins.arguments`; `use_entropy_control=False` generates plainly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import lm_eval.models  # noqa: F401 -- lm-eval registers its own models only while there is no other
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from tqdm import tqdm
from transformers import AutoTokenizer

from srgen.config import Sampling
from srgen.demo_model import resolve_model_path
from srgen.engines import load_engine
from srgen.engines.base import Request
from srgen.errors import ConfigError
from srgen.plugins.arguments import Seeds, plugin_settings, reflection_rows

_GENERATION = ("until", "max_gen_toks", "do_sample", "temperature", "top_p", "top_k")


class SRGenLM(LM):  # type: ignore[misc]
    """Generates with SRGen's engine; it has no log-likelihoods, for the method is about generation."""

    def __init__(
        self,
        pretrained: str,
        batch_size: int | str = 8,
        max_batch_size: int | None = None,
        max_gen_toks: int = 256,
        **arguments: Any,
    ) -> None:
        """Load the model. Raises ConfigError for an argument that is unknown or out of range."""
        super().__init__()
        if not str(batch_size).isdigit():
            raise ConfigError(f"batch_size must be a number of samples, not {batch_size!r}")
        self._settings = plugin_settings(pretrained, {**arguments, "batch_size": int(batch_size)})
        self._max_new_tokens = int(max_gen_toks)
        self._engine = load_engine(self._settings.engine)
        self.tokenizer = AutoTokenizer.from_pretrained(resolve_model_path(pretrained))
        self._seeds = Seeds(self._settings.seed)
        self._reflections: list[dict[str, Any]] = []

    @property
    def tokenizer_name(self) -> str:
        """What lm-eval calls the tokenizer in its cache."""
        return str(self._settings.engine.model_path).replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The template that is applied; empty for none."""
        return str(self.tokenizer.chat_template or "") if chat_template else ""

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The chat as text."""
        return str(
            self.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The texts in the order of the requests; they share the engine's batch."""
        asked = [self._request(str(index), *instance.args) for index, instance in enumerate(requests)]
        texts = [""] * len(asked)
        for done in tqdm(self._engine.generate(asked), total=len(asked), disable=disable_tqdm):
            index = int(done.id)
            if done.error:
                raise RuntimeError(f"request {index} could not be generated: {done.error}")
            texts[index] = done.text
            self.cache_hook.add_partial("generate_until", requests[index].args, done.text)
            self._reflections.append(
                {
                    "task": requests[index].task_name,
                    "doc_id": requests[index].doc_id,
                    "tokens": len(done.token_ids),
                    "finish_reason": done.finish_reason,
                    "reflections": reflection_rows(done),
                }
            )
        return texts

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval writes into its results: SRGen's settings, and the reflections of every response."""
        srgen = self._settings.srgen
        rows = sorted(self._reflections, key=lambda row: (str(row["task"]), row["doc_id"]))
        return {"srgen": dataclasses.asdict(srgen) if srgen else None, "srgen_responses": rows}

    def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> NoReturn:
        """Refused: raises ConfigError."""
        raise ConfigError("the model srgen generates only; for tasks of log-likelihoods use lm-eval's model hf")

    loglikelihood_rolling = loglikelihood

    def _request(self, name: str, context: str, arguments: Mapping[str, Any]) -> Request:
        # A rendered chat has its special tokens already.
        bos = self.tokenizer.bos_token
        rendered = bool(bos) and context.startswith(bos)
        return Request(
            id=name,
            prompt=tuple(self.tokenizer(context, add_special_tokens=not rendered)["input_ids"]),
            sampling=self._sampling(arguments),
            seed=self._seeds.next(context),
            srgen=self._settings.srgen,
        )

    def _sampling(self, arguments: Mapping[str, Any]) -> Sampling:
        if unknown := sorted(set(arguments) - set(_GENERATION)):
            raise ConfigError(f"the generation argument {unknown[0]!r} is not known; known: {', '.join(_GENERATION)}")
        until = arguments.get("until") or ()
        temperature = float(arguments.get("temperature") or 0)
        sample = bool(arguments.get("do_sample", temperature > 0)) and temperature > 0
        drawn: dict[str, Any] = (
            {"temperature": temperature, "top_p": float(arguments.get("top_p", 1.0))} if sample else {}
        )
        return Sampling(
            do_sample=sample,
            top_k=int(arguments.get("top_k") or 0) if sample else 0,
            max_new_tokens=int(arguments.get("max_gen_toks") or self._max_new_tokens),
            stop=(until,) if isinstance(until, str) else tuple(filter(None, until)),
            **drawn,
        )


register_model("srgen")(SRGenLM)

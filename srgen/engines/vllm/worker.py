"""The vLLM worker with SRGen inside: `worker_cls="srgen.engines.vllm.worker.SRGenWorker"`.

It follows the requests that ask for SRGen in their `extra_args`, from the model runner's state between the forward pass
and sampling, and corrects the raw logits, before any penalty, mask, temperature or nucleus. Others are left untouched.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from vllm.distributed import get_tp_group
from vllm.platforms import current_platform
from vllm.tokenizers import cached_tokenizer_from_config

from srgen.chat import marker_tokens
from srgen.engines.method_rows import MethodRows
from srgen.engines.vllm.arguments import Arguments, from_extra_args
from srgen.engines.vllm.readout import vllm_readout
from srgen.engines.vllm.steps import Step, v1_step, v1_without_discarded_draws, v2_step
from srgen.engines.vllm.streams import SRGenStreams
from srgen.errors import ConfigError
from srgen.method.processor import SRGenProcessor
from srgen.methods.contract import Steer
from srgen.thinking import steer_of

if current_platform.is_cpu():
    from vllm.v1.worker.cpu_worker import CPUWorker as PlatformWorker
else:
    from vllm.v1.worker.gpu_worker import Worker as PlatformWorker


logger = logging.getLogger(__name__)


class SRGenWorker(PlatformWorker):  # type: ignore[misc]
    """One rank of vLLM. Raises ConfigError for a setting that SRGen cannot work under."""

    def __init__(self, vllm_config: Any, *arguments: Any, **options: Any) -> None:
        check_supported(vllm_config)
        super().__init__(vllm_config, *arguments, **options)
        self._step: Step | None = None

    def load_model(self, **options: Any) -> None:
        """Load the model and take its LM head. Raises UnsupportedModelError for a head that cannot be corrected."""
        super().load_model(**options)
        model = self.model_runner.get_model()
        self._compute_logits = model.compute_logits
        with torch.inference_mode():
            readout = vllm_readout(model, self._compute_logits, get_tp_group().device_group)
        tokenizer = cached_tokenizer_from_config(self.model_config)
        self._tokenizer = tokenizer
        self._streams = SRGenStreams(SRGenProcessor(readout, marker_tokens(tokenizer)), MethodRows(readout))
        self._steer_draws(self.model_runner.sampler)
        if self.use_v2_model_runner:
            # This runner computes logits inside `sample_tokens`, out of a worker's sight.
            model.compute_logits = self._corrected_logits

    def execute_model(self, scheduler_output: Any) -> Any:
        """The forward pass; before it, requests that ended leave and new ones are admitted."""
        self._streams.finish(scheduler_output.finished_req_ids)
        for request in scheduler_output.scheduled_new_reqs:
            parameters = request.sampling_params
            arguments = None if parameters is None else from_extra_args(parameters.extra_args)
            if arguments is not None:
                tokens = request.prompt_token_ids or ()
                steer = self._steer(request.req_id, arguments, tokens)
                self._streams.admit(request.req_id, arguments, parameters.temperature, steer, tokens=tokens)
        return super().execute_model(scheduler_output)

    @torch.inference_mode()
    def sample_tokens(self, grammar_output: Any) -> Any:
        """Sampling; before it, the step is followed and rows that trigger are corrected."""
        runner = self.model_runner
        state = runner.execute_model_state
        followed = state is not None and bool(self._streams)
        if self.use_v2_model_runner:
            self._step = v2_step(state) if followed else None
            return super().sample_tokens(grammar_output)
        if followed:
            logits = self._streams.step(v1_step(runner, state), state.logits)
            runner.execute_model_state = state._replace(logits=logits)
        with v1_without_discarded_draws(runner) if current_platform.is_cpu() else nullcontext():
            return super().sample_tokens(grammar_output)

    def srgen_take(self, tags: Sequence[str]) -> list[dict[str, Any] | None]:
        """For `collective_rpc`: statistics of requests by tag (fields of Record), handed out once.

        Dictionaries, because what crosses vLLM's processes loses its type.
        """
        return [None if record is None else dataclasses.asdict(record) for record in self._streams.take(tags)]

    def _steer(self, key: str, arguments: Arguments, prompt: Sequence[int]) -> Steer | None:
        try:
            return steer_of(arguments.forcing, arguments.methods, self._tokenizer, prompt)
        except ConfigError as error:
            # An error here would end the whole engine; ours asks before it hands a request over.
            logger.warning("request %s: %s; its tokens are left as they are drawn", key, error)
            return None

    def _steer_draws(self, sampler: Any) -> None:
        """Put forced tokens in the place of drawn ones, before either runner's sampler looks at their logprobs."""
        draw = sampler.sample

        def sample(*arguments: Any, **options: Any) -> tuple[Tensor, Any]:
            drawn, processed = draw(*arguments, **options)
            return self._streams.steer(drawn), processed

        sampler.sample = sample

    def _corrected_logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self._compute_logits(hidden)
        # The runner's first logits of a step are those that it samples from; logprobs of prompts come after.
        step, self._step = self._step, None
        return logits if step is None else self._streams.step(step, logits)


def check_supported(vllm_config: Any) -> None:
    """Raise ConfigError for a setting of vLLM under which SRGen would go wrong."""
    if vllm_config.speculative_config is not None:
        raise ConfigError("SRGen decides at every token, so it does not run with speculative decoding; switch that off")
    if vllm_config.parallel_config.pipeline_parallel_size > 1:
        raise ConfigError("SRGen does not run with pipeline parallelism in vLLM; use tensor parallelism")
    if vllm_config.parallel_config.enable_batch_sharded_sampling:
        raise ConfigError("SRGen needs every rank to see all logits; switch enable_batch_sharded_sampling off")

"""Admission of requests in vLLM's frontend, for either of its model runners.

The worker corrects the logits itself. This class, given to vLLM's `--logits-processors`, sees to it that a wrong
argument fails its own request with one sentence, and that no prefix hit hides prompt rows of an SRGen request.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import LogitsProcessor as LogitsProcessorV1
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as LogitsProcessorV2

from srgen.engines.vllm.arguments import from_extra_args


class SRGenAdmission(LogitsProcessorV1, LogitsProcessorV2):  # type: ignore[misc]
    """Checks the `srgen` arguments of a request; the logits pass through untouched."""

    def __init__(self, *_: Any) -> None:
        """V1 gives (config, device, is_pin_memory), V2 (config, request states)."""

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Raise ValueError (ConfigError) for wrong `srgen` arguments; vLLM turns it into HTTP 400."""
        if from_extra_args(sampling_params.extra_args) is not None:
            sampling_params.skip_reading_prefix_cache = True

    def apply(self, logits: Tensor, ctx: Any = None) -> Tensor:
        """The logits as they are (V2 gives the batch's layout too)."""
        return logits

    def is_argmax_invariant(self) -> bool:
        """V1: greedy requests need not be passed through it."""
        return True

    def update_state(self, batch_update: Any) -> None:
        """V1: nothing is kept per request."""

    def add_request(self, req_idx: int, sampling_params: SamplingParams) -> bool:
        """V2: False, no request's logits change here."""
        return False

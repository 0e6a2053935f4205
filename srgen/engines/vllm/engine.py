"""The vLLM engine: continuous batching, paged KV and tensor parallelism by vLLM, SRGen inside its workers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from srgen.chat import encode_request
from srgen.config import SRGenConfig
from srgen.demo_model import resolve_model_path
from srgen.engines import EngineConfig
from srgen.engines.base import Completion, FinishReason, Reflection, Request, TokenLogprobs
from srgen.engines.vllm.arguments import Arguments, to_extra_args
from srgen.engines.vllm.version import ADMISSION, WORKER, require_vllm
from srgen.errors import ConfigError
from srgen.method.processor import Record
from srgen.thinking import opening_of, steer_of

CPU_CACHE_BYTES = 2 << 30
"""KV cache on a CPU, where a fraction of the machine's memory is too much to take unasked."""
WATCHER = SRGenConfig(max_retries=0)
"""SRGen that only looks: for the entropies of plain requests."""


@dataclass(slots=True)
class _Flight:
    """A request that vLLM holds."""

    request: Request
    prompt: list[int]
    steered: bool
    """Tokens may be forced upon it."""
    started: float = field(default_factory=time.monotonic)

    @property
    def followed(self) -> bool:
        """The worker keeps statistics of it."""
        request = self.request
        wants = request.srgen is not None or request.record_entropy or request.record_signals
        return wants or self.steered or bool(request.methods)


class VLLMEngine:
    """Keeps up to `batch_size` requests in vLLM, which batches them as its memory allows."""

    def __init__(self, engine: Any, tokenizer: Any, batch_size: int = 8) -> None:
        self.batch_size = batch_size
        self.on_step: Callable[[], None] = _nothing
        self._outputs: Sequence[Any] = ()
        """Of the last step."""
        self._engine = engine
        self._tokenizer = tokenizer
        self._max_length = int(engine.model_config.max_model_len)
        self._flights: dict[str, _Flight] = {}

    @classmethod
    def load(cls, config: EngineConfig, **overrides: Any) -> VLLMEngine:
        """Start vLLM; `overrides` are vLLM's own engine arguments. Raises ConfigError when that fails."""
        require_vllm()
        arguments = engine_arguments(config) | overrides
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine

        try:
            tokenizer = AutoTokenizer.from_pretrained(arguments["model"])
            engine = LLMEngine.from_engine_args(EngineArgs(**arguments))
        except (OSError, ValueError, ImportError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ConfigError(f"vLLM could not load the model {config.model_path!r}: {reason}") from error
        return cls(engine, tokenizer, config.batch_size)

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        """See Engine.generate."""
        source = iter(requests)
        exhausted = False
        try:
            while True:
                while not exhausted and len(self._flights) < self.batch_size:
                    request = next(source, _END)
                    if isinstance(request, _End):
                        exhausted = True
                    elif request is None:
                        break
                    else:
                        yield from self._admit(request)
                if self._flights:
                    self._outputs = outputs = self._engine.step()
                    self.on_step()
                    yield from self._collect([output for output in outputs if output.finished])
                elif exhausted:
                    return
        finally:
            # Left early (an error, or the caller stopped): the requests in flight are given up.
            self._abandon()

    @property
    def tokens_in_flight(self) -> int:
        """Tokens that the requests in flight have by now."""
        return sum(len(output.outputs[0].token_ids) for output in self._outputs if not output.finished)

    def decode_tokens(self, token_ids: Sequence[int]) -> list[str]:
        """The string of each token by itself, special tokens included."""
        return [self._tokenizer.decode([token]) for token in token_ids]

    def close(self) -> None:
        """Stop vLLM and its processes."""
        self._abandon()
        self._engine.engine_core.shutdown()

    def _admit(self, request: Request) -> list[Completion]:
        """Hand a request to vLLM; the completion of one that cannot be begun."""
        if request.sampling.top_h:
            raise ConfigError("top_h needs the transformers engine: vLLM has no such sampling")
        prompt = encode_request(self._tokenizer, request)
        limit = min(request.sampling.max_new_tokens, self._max_length - len(prompt))
        if not prompt or limit < 1:
            reason = f"the prompt has {len(prompt)} tokens, and the model takes 1 to {self._max_length - 1}"
            return [
                Completion(
                    id=request.id, prompt_tokens=len(prompt), token_ids=(), text="", finish_reason="error", error=reason
                )
            ]
        steered = steer_of(request.sampling, request.methods, self._tokenizer, prompt) is not None
        self._flights[request.id] = flight = _Flight(request, prompt, steered)
        self._engine.add_request(request.id, {"prompt_token_ids": prompt}, sampling_parameters(flight, limit))
        return []

    def _collect(self, outputs: Sequence[Any]) -> list[Completion]:
        """Completions of vLLM's finished outputs."""
        flights = [self._flights.pop(output.request_id) for output in outputs]
        records = self._take([flight.request.id for flight in flights if flight.followed])
        return [self._complete(flight, output, records) for flight, output in zip(flights, outputs, strict=True)]

    def _take(self, tags: list[str]) -> dict[str, Record]:
        """Statistics from the workers, which all hold the same."""
        if not tags:
            return {}
        found = self._engine.collective_rpc("srgen_take", args=(tags,))[0]
        return {tag: _record(fields) for tag, fields in zip(tags, found, strict=True) if fields is not None}

    def _complete(self, flight: _Flight, output: Any, records: dict[str, Record]) -> Completion:
        request, tokens = flight.request, tuple(output.outputs[0].token_ids)
        record = records.get(request.id, Record((), ()))
        text = request.prefix + str(self._tokenizer.decode(tokens, skip_special_tokens=True))
        for stop in request.sampling.stop:
            text = text.split(stop, 1)[0]
        # vLLM may have run a step beyond the end before it noticed.
        return Completion(
            id=request.id,
            prompt_tokens=len(flight.prompt),
            token_ids=tokens,
            text=text,
            opening=opening_of(self._tokenizer, flight.prompt, request.prefix),
            finish_reason=_finish_reason(output.outputs[0].finish_reason),
            reflections=tuple(r for r in record.reflections if r.position < len(tokens)),
            reports=record.reports,
            entropies=record.entropies[: len(tokens)] if request.record_entropy else None,
            signals=_signals(output.outputs[0], record) if request.record_signals else None,
            logprobs=None if request.logprobs is None else _logprobs(output.outputs[0], request.logprobs),
            seconds=time.monotonic() - flight.started,
        )

    def _abandon(self) -> None:
        if self._flights:
            flights, self._flights = self._flights, {}
            self._engine.abort_request(list(flights))
            self._take([name for name, flight in flights.items() if flight.followed])


def engine_arguments(config: EngineConfig) -> dict[str, Any]:
    """vLLM's engine arguments. Raises ConfigError for a setting that only the transformers engine has."""
    for name in ("attn_implementation", "device_map"):
        if getattr(config, name) is not None:
            raise ConfigError(f"{name} is for the transformers backend; leave it out with --backend vllm")
    from vllm.platforms import current_platform

    on_cpu = bool(current_platform.is_cpu())
    if on_cpu != (config.device == "cpu") and config.device is not None:
        built = "CPU" if on_cpu else "GPU"
        raise ConfigError(f"the installed vLLM runs on the {built}, and the device asked for is {config.device!r}")
    arguments: dict[str, Any] = {
        "model": resolve_model_path(config.model_path),
        "dtype": ("float32" if on_cpu else "bfloat16") if config.dtype == "auto" else config.dtype,
        "tensor_parallel_size": config.tensor_parallel,
        "gpu_memory_utilization": config.gpu_memory_utilization,
        "max_model_len": config.max_model_len,
        "max_num_seqs": config.batch_size,
        "worker_cls": WORKER,
        "logits_processors": [ADMISSION],
        "disable_log_stats": True,
    }
    if on_cpu:
        # Compiling takes minutes on a CPU, more than it saves in a run of the demo model.
        arguments["enforce_eager"] = True
        if config.tensor_parallel == 1:
            # One process: on a CPU, vLLM's separate engine and worker processes contend for the same cores.
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        else:
            # Left to itself, vLLM wants a NUMA node for each rank.
            os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        if not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
            arguments["kv_cache_memory_bytes"] = CPU_CACHE_BYTES
    return arguments


def sampling_parameters(flight: _Flight, limit: int) -> Any:
    """vLLM's SamplingParams of a request that may generate `limit` tokens."""
    from vllm import SamplingParams

    request, sampling = flight.request, flight.request.sampling
    options: dict[str, Any] = {}
    if flight.followed:
        options["extra_args"] = to_extra_args(
            Arguments(request.srgen or WATCHER, request.id, request.methods, request.record_signals, sampling)
        )
        options["skip_reading_prefix_cache"] = True
    return SamplingParams(
        temperature=sampling.temperature if sampling.do_sample else 0.0,
        top_p=sampling.top_p if sampling.do_sample else 1.0,
        top_k=sampling.top_k if sampling.do_sample else 0,
        min_p=sampling.min_p if sampling.do_sample else 0.0,
        seed=request.seed if sampling.do_sample else None,
        max_tokens=limit,
        ignore_eos=request.ignore_eos,
        # Signals want the chosen token's.
        logprobs=0 if request.record_signals and request.logprobs is None else request.logprobs,
        stop=list(sampling.stop),
        detokenize=bool(sampling.stop),
        **options,
    )


def _record(fields: dict[str, Any]) -> Record:
    """A worker's dictionary as it was before it crossed vLLM's processes, which makes lists of tuples."""
    reflections = tuple(Reflection.from_json(values) for values in fields["reflections"])
    return Record(tuple(fields["entropies"]), reflections, fields["reports"], fields["signals"])


def _signals(answer: Any, record: Record) -> bytes:
    """Four float16 a token, as srgen.method.signals: log p of the token from vLLM, the rest from the worker."""
    limit = float(np.finfo(np.float16).max)
    log_p = np.clip([entry.chosen for entry in _logprobs(answer, 0)], -limit, limit).astype("<f2")
    rows = np.frombuffer(record.signals, dtype="<f2").reshape(-1, 3)[: len(log_p)]
    return np.column_stack([log_p, rows]).astype("<f2").tobytes()


def _logprobs(answer: Any, count: int) -> tuple[TokenLogprobs, ...]:
    """Of each token of vLLM's answer, and of the `count` most likely ones; vLLM ranks them from 1."""
    steps = []
    for token, candidates in zip(answer.token_ids, answer.logprobs, strict=True):
        best = sorted((entry.rank, other, entry.logprob) for other, entry in candidates.items())[:count]
        steps.append(TokenLogprobs(candidates[token].logprob, tuple((other, value) for _, other, value in best)))
    return tuple(steps)


def _finish_reason(reason: str | None) -> FinishReason:
    match reason:
        case "stop" | "length":
            return reason
        case _:
            return "error"


def _nothing() -> None:
    """The default of `on_step`."""


class _End:
    """Marks the end of a source, where None already means something."""


_END = _End()


ENGINE = VLLMEngine

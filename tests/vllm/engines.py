"""The engine that the tests of vLLM share: its settings, and how it is run."""

from __future__ import annotations

from srgen import Completion, Request
from srgen.engines import EngineConfig
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.vllm.engine import VLLMEngine

# Long enough for every prompt; the few blocks force preemptions, the 64 tokens a step cut prompts into chunks.
ENGINE = {"enforce_eager": True, "max_num_batched_tokens": 64, "block_size": 32, "num_gpu_blocks_override": 40}
CONFIG = EngineConfig(model_path="demo", backend="vllm", dtype="float32", batch_size=8, max_model_len=768)


def run(engine: VLLMEngine | TransformersEngine, work: list[Request]) -> list[Completion]:
    found = {completion.id: completion for completion in engine.generate(work)}
    return [found[request.id] for request in work]

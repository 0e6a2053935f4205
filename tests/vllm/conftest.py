from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from engines import CONFIG, ENGINE

from srgen.engines import EngineConfig
from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.vllm.engine import VLLMEngine

# Two cores spinning on each other's threads are many times slower than one that works.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")


@pytest.fixture(scope="module")
def engine(demo_model: None) -> Iterator[VLLMEngine]:
    engine = VLLMEngine.load(CONFIG, **ENGINE, disable_log_stats=False)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def transformers_engine(engine: VLLMEngine) -> TransformersEngine:
    return TransformersEngine.load(EngineConfig(model_path="demo", device="cpu", dtype="float32", batch_size=8))

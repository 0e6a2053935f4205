"""lm-eval with the model `srgen`: the real package, the embedded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tasks import PROBLEMS, SYSTEM, engine_tokens, lm_eval_task

from srgen.config import SRGenConfig
from srgen.errors import ConfigError

lm_eval = pytest.importorskip("lm_eval")
task_manager = pytest.importorskip("lm_eval.tasks").TaskManager
plugin = pytest.importorskip("srgen.plugins.lm_eval")

TRIGGERS = {"entropy_threshold": 1.0, "adaptive_entropy": False, "max_retries": 3}


def evaluate(folder: Path, **arguments: Any) -> Any:
    manager = task_manager(include_path=str(lm_eval_task(folder)), include_defaults=False)
    return lm_eval.simple_evaluate(
        model="srgen",
        model_args={"pretrained": "demo", "device": "cpu", "dtype": "float32", **arguments},
        tasks=["srgen_local"],
        task_manager=manager,
        apply_chat_template=True,
        system_instruction=SYSTEM,
        batch_size=8,
        log_samples=True,
        bootstrap_iters=0,
    )


@pytest.mark.parametrize("srgen", [None, TRIGGERS], ids=["base", "srgen"])
def test_the_same_tokens_as_the_engine(srgen: dict[str, Any] | None, tmp_path: Path) -> None:
    found = evaluate(tmp_path, **(srgen or {"use_entropy_control": False}))
    texts = [row["resps"][0][0] for row in sorted(found["samples"]["srgen_local"], key=lambda row: int(row["doc_id"]))]
    expected = engine_tokens(SRGenConfig(**srgen) if srgen else None)
    assert texts == [completion.text for completion in expected]
    logged = found["config"]["srgen_responses"]
    assert [row["tokens"] for row in logged] == [len(completion.token_ids) for completion in expected]
    reflections = [len(row["reflections"]) for row in logged]
    assert reflections == [len(completion.reflections) for completion in expected]
    assert (sum(reflections) > 0) == (srgen is not None)
    assert len(PROBLEMS) == len(texts)


def test_lm_evals_own_models_stay_known() -> None:
    from lm_eval.api.registry import get_model

    assert get_model("hf").__name__ == "HFLM"


def test_mistakes_are_one_sentence() -> None:
    with pytest.raises(ConfigError, match="unknown model argument 'time'; did you mean 'times'"):
        plugin.SRGenLM("demo", time=3)
    with pytest.raises(ConfigError, match="times must be of type int"):
        plugin.SRGenLM("demo", times="many")

from __future__ import annotations

import pytest

from srgen.demo_model import demo_folder
from srgen.engines import EngineConfig
from srgen.engines.transformers import TransformersEngine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all_traces", action="store_true", help="the released loop on all golden traces, whole: 16 minutes"
    )


@pytest.fixture(scope="session")
def demo_engine() -> TransformersEngine:
    """The embedded model in float32 on the CPU; `bash scripts/test.sh` fetches it."""
    if not (demo_folder() / "config.json").exists():
        pytest.skip("the demo model is not there: run `python -m srgen.demo_model`")
    return TransformersEngine.load(EngineConfig(model_path="demo", device="cpu", dtype="float32"))

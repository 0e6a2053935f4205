from __future__ import annotations

import os

import pytest

from srgen.demo_model import demo_folder
from srgen.engines import EngineConfig
from srgen.engines.transformers.engine import TransformersEngine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all_traces", action="store_true", help="all golden traces, whole, one by one: 20 minutes")


LONG_FILES = (
    "test_traces.py",
    "test_study_running.py",
    "test_ray.py",
    "test_resume.py",
    "test_invariance.py",
    "test_view_live.py",
    "test_intervals.py",
    "test_gpu_campaign.py",
    "test_workers.py",
)
"""A minute or more each; handed out first, the longest before the others, so that no process is left with one at the
end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session")
def demo_model() -> None:
    """The test scripts fetch the embedded model; skipped is only what a bare `pytest` asks of it before that."""
    if not (demo_folder() / "config.json").exists():
        pytest.skip("the demo model is not there: run `python -m srgen.demo_model`")


@pytest.fixture(scope="session")
def demo_engine(demo_model: None) -> TransformersEngine:
    """The embedded model in float32, on the CPU unless the environment names another device."""
    device = os.environ.get("SRGEN_TEST_DEVICE", "cpu")
    return TransformersEngine.load(EngineConfig(model_path="demo", device=device, dtype="float32"))

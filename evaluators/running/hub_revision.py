"""Which commit of a hub's model a run begins with: its name says nothing of that."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from evaluators.benchmarks.dataset_rows import HUB_TIMEOUT, hub_reachable
from evaluators.settings.run_config import HOLDS_WEIGHTS, RunConfig

_by_the_hub: dict[str, str | None] = {}
"""Asked once a process: what a worker has loaded stays the same, though the branch may move."""


def with_revision(config: RunConfig) -> RunConfig:
    """The run with the commit that its model's main branch is at; unknown for folders and other programs' models."""
    model = config.model
    if model.backend not in HOLDS_WEIGHTS or not _is_hub_id(model.model_path):
        return config
    return dataclasses.replace(config, model=dataclasses.replace(model, revision=hub_revision(model.model_path)))


def hub_revision(model: str) -> str | None:
    """The commit by the hub's word, or where it cannot be reached, of the copy on this machine; None without one."""
    from huggingface_hub import HfApi, constants

    if model in _by_the_hub:
        return _by_the_hub[model]
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    if not offline and hub_reachable():
        try:
            _by_the_hub[model] = HfApi().model_info(model, timeout=HUB_TIMEOUT).sha
        except Exception:  # the network has many ways to fail; loading the model says what is wrong
            return None
        return _by_the_hub[model]
    branch = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "refs" / "main"
    return branch.read_text("utf-8").strip() if branch.is_file() else None


def _is_hub_id(model: str) -> bool:
    return re.fullmatch(r"[\w.-]+/[\w.-]+", model) is not None and not Path(model).exists()

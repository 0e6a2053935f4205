"""Every file in configs/ is a valid run, and says what its comments say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evaluators.aime import BENCHMARK
from evaluators.benchmarks.prompts import TAGS
from evaluators.cli import run_config
from evaluators.settings.flags import BY_NAME
from evaluators.settings.run_config import RunConfig
from evaluators.settings.sources import ENVIRONMENT, read_config_file, read_settings
from srgen.config import Sampling, SRGenConfig

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
FAMILIES = {
    "qwen2.5-math-7b": ("Qwen/Qwen2.5-Math-7B", 4096),
    "r1-distill-qwen-7b": ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 32768),
    "r1-distill-llama-8b": ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 32768),
    "qwen3-32b": ("Qwen/Qwen3-32B", 32768),
}
OF_RUNS = sorted(path.stem for path in CONFIGS.glob("*.yaml") if not path.stem.startswith(("ray", "pasr_train")))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def config_of(name: str, *arguments: str) -> RunConfig:
    settings = read_settings(BENCHMARK, ["--config", str(CONFIGS / f"{name}.yaml"), *arguments])
    return run_config(BENCHMARK, settings)


def test_all_files_are_known() -> None:
    assert sorted(["paper", "pasr", "released", *FAMILIES]) == OF_RUNS


@pytest.mark.parametrize("name", OF_RUNS)
def test_file_is_commented_and_describes_a_base_and_an_srgen_run(name: str) -> None:
    assert (CONFIGS / f"{name}.yaml").read_text().startswith("# ")
    assert config_of(name, "--model_path", "m").srgen is None
    assert config_of(name, "--model_path", "m", "--use_entropy_control").srgen is not None


def test_paper_is_the_default_and_says_all_of_it() -> None:
    config = config_of("paper", "--model_path", "m", "--use_entropy_control")
    assert config.srgen == SRGenConfig()
    assert config.sampling == Sampling()
    stated = read_config_file(CONFIGS / "paper.yaml")
    ours = {"mask_special_tokens", "reflection", "sketch_top", "support_size"}  # not of the paper's section 5.1
    assert {name for name, flag in BY_NAME.items() if flag.owner is SRGenConfig} - ours <= set(stated)


def test_released_holds_the_released_codes_defaults() -> None:
    expected: dict[str, Any] = {
        "do_sample": False, "temperature": 0.9, "top_p": 1.0, "max_new_tokens": 4096, "times": 1, "lr": 0.1,
        "entropy_weight": 0.1, "entropy_threshold": 5.0, "adaptive_entropy": False, "adaptive_entropy_N": 20,
        "adaptive_entropy_K": 2.0, "minimal_std": 0.5, "minimal_threshold": 1.8, "max_retries": 4,
    }  # fmt: skip
    assert read_config_file(CONFIGS / "released.yaml") == expected


@pytest.mark.parametrize("name", FAMILIES)
def test_model_families_run_as_in_the_paper(name: str) -> None:
    config = config_of(name, "--use_entropy_control")
    assert (config.model.model_path, config.sampling.max_new_tokens) == FAMILIES[name]
    assert (config.sampling.do_sample, config.sampling.temperature, config.sampling.top_p) == (True, 0.6, 0.95)
    assert config.srgen == SRGenConfig()
    assert config.data.prompt_role == ("user" if name.startswith("r1") else "system")
    assert config_of(name, "--model_path", "/another/copy").model.model_path == "/another/copy"


def test_pasr_is_as_its_readme_evaluates() -> None:
    config = config_of("pasr", "--model_path", "m")
    assert (config.sampling.do_sample, config.sampling.max_new_tokens, config.average) == (False, 1500, 1)
    assert (config.data.answer_format, config.data.system_prompt) == ("tags", TAGS)

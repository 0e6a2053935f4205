"""Model folders as users have them: saved to disk, evaluated by the command, refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import tiny_config
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer, PreTrainedConfig

from evaluators.cli import main
from evaluators.mini import BENCHMARK
from srgen.chat import encode
from srgen.demo_model import demo_folder
from srgen.engines import EngineConfig
from srgen.engines.base import Message
from srgen.engines.transformers.engine import TransformersEngine, load_model
from srgen.errors import ConfigError

needs_demo = pytest.mark.skipif(not (demo_folder() / "config.json").exists(), reason="the demo model is not fetched")


def saved(folder: Path, config: PreTrainedConfig, auto: Any = AutoModelForCausalLM) -> Path:
    """A random model with the demo model's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(demo_folder())
    config.get_text_config().vocab_size = len(tokenizer)
    torch.manual_seed(0)
    model = auto.from_config(config)
    model.generation_config.eos_token_id = None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.model
@needs_demo
@pytest.mark.parametrize("architecture", ["qwen3_5_text", "mamba"])
def test_a_saved_folder_answers_as_generate_does(architecture: str, tmp_path: Path) -> None:
    config = tiny_config(architecture)
    config.max_position_embeddings = 1024
    folder = saved(tmp_path / "model", config)
    results = tmp_path / "results"
    flags = ["--no-do_sample", "--eval_samples", "4", "--max_new_tokens", "12", "--dtype", "float32"]
    assert main(BENCHMARK, ["--model_path", str(folder), "--output_dir", str(results), *flags]) == 0
    (samples,) = results.glob("mini/*/*/samples.jsonl")
    (questions,) = results.glob("mini/*/*/questions.jsonl")
    prompts = {row["id"]: row["prompt"] for row in map(json.loads, questions.read_text().splitlines())}
    model, tokenizer = load_model(EngineConfig(model_path=str(folder)))
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(rows) == 4
    for row in rows:
        messages = (Message("system", BENCHMARK.system_prompt), Message("user", prompts[row["question_id"]]))
        ids = torch.tensor([encode(tokenizer, messages)])
        output = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, pad_token_id=0
        )
        expected = tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
        assert row["response"] == expected
        assert row["prompt_tokens"] == ids.shape[1]


@pytest.mark.model
@needs_demo
def test_a_model_that_also_sees_runs_on_text(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", tiny_config("mistral3"), AutoModelForImageTextToText)
    model, tokenizer = load_model(EngineConfig(model_path=str(folder)))
    engine = TransformersEngine(model, tokenizer)
    assert type(engine.loop()._passes).__name__ == "BatchedPasses"
    engine.loop().close()


@pytest.mark.model
@needs_demo
def test_an_adapter_without_its_package_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    AutoTokenizer.from_pretrained(demo_folder()).save_pretrained(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="PEFT adapter; it needs the package peft"):
        load_model(EngineConfig(model_path=str(tmp_path)))

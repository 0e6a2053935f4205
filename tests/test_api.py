"""The idiomatic entries: srgen.generate, and the folder for transformers' custom_generate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LogitsProcessorList

import srgen
from srgen import ConfigError, Message, Sampling, SRGenConfig
from srgen.logits_processor import SRGenLogitsProcessor
from tests.server_process import tiny_model, tiny_tokenizer

FOLDER = Path(__file__).resolve().parents[1] / "custom_generate"
METHOD = SRGenConfig(entropy_threshold=0.5, adaptive_entropy=False, lr=0.1, max_retries=4)
GREEDY = Sampling(do_sample=False, max_new_tokens=20)
PROMPT = torch.tensor([[0, 50, 60, 70, 80]])
ARGUMENTS: dict[str, Any] = {"do_sample": False, "max_new_tokens": 20, "attention_mask": torch.ones_like(PROMPT)}


def with_processor(model: Any) -> torch.Tensor:
    processors = LogitsProcessorList([SRGenLogitsProcessor(model, METHOD)])
    return model.generate(PROMPT, **ARGUMENTS, logits_processor=processors)


def test_generate_keeps_the_order_of_its_prompts_and_takes_every_kind() -> None:
    model, tokenizer = tiny_model(), tiny_tokenizer()
    prompts = ["ab", (Message("user", "cd"),), PROMPT[0].tolist()]
    together = srgen.generate(model, tokenizer, prompts, METHOD, GREEDY, batch_size=2)
    single = [srgen.generate(model, tokenizer, [prompt], METHOD, GREEDY)[0] for prompt in prompts]
    assert [c.token_ids for c in together] == [c.token_ids for c in single]
    assert all(len(completion.reflections) == 4 for completion in together)


def test_generate_leaves_nothing_on_the_model() -> None:
    model = tiny_model()
    srgen.generate(model, tiny_tokenizer(), ["ab"], METHOD, GREEDY)
    assert not model._forward_hooks and not model.model._forward_hooks


def test_generate_without_a_config_is_the_plain_model() -> None:
    model = tiny_model()
    (completion,) = srgen.generate(model, tiny_tokenizer(), [PROMPT[0].tolist()], sampling=GREEDY)
    assert list(completion.token_ids) == model.generate(PROMPT, **ARGUMENTS)[0, 5:].tolist()


def test_all_entries_give_the_same_tokens() -> None:
    model = tiny_model()
    (completion,) = srgen.generate(model, tiny_tokenizer(), [PROMPT[0].tolist()], METHOD, GREEDY)
    assert with_processor(model)[0, 5:].tolist() == list(completion.token_ids)


@pytest.mark.parametrize("as_mapping", [False, True])
def test_custom_generate_is_a_folder_as_the_hub_wants_it(as_mapping: bool) -> None:
    model = tiny_model()
    method = (
        {"entropy_threshold": 0.5, "adaptive_entropy": False, "lr": 0.1, "max_retries": 4} if as_mapping else METHOD
    )
    output = model.generate(
        PROMPT, **ARGUMENTS, custom_generate=str(FOLDER), trust_remote_code=True, srgen_config=method
    )
    assert torch.equal(output, with_processor(model))
    assert len(model.srgen_records[0].reflections) == 4
    assert {path.name for path in FOLDER.iterdir()} >= {"README.md", "custom_generate"}


def test_a_models_own_repository_may_hold_it(tmp_path: Path) -> None:
    model = tiny_model()
    model.save_pretrained(tmp_path)
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, trust_remote_code=True)
    output = loaded.generate(inputs=PROMPT, **ARGUMENTS, srgen_config=METHOD)  # transformers puts the model first
    assert torch.equal(output, with_processor(model))


def test_custom_generate_by_the_id_of_a_hub_repository(tmp_path: Path) -> None:
    """As the hub's client leaves a repository on disk, in a process that finds it there and has no network."""
    repository = tmp_path / "hub" / "models--org--srgen"
    shutil.copytree(FOLDER, repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    code = """if True:
        import json, sys
        from tests.test_api import ARGUMENTS, METHOD, PROMPT, tiny_model, with_processor
        refused = ""
        try:
            tiny_model().generate(PROMPT, **ARGUMENTS, custom_generate="org/srgen", trust_remote_code=False)
        except ValueError as error:
            refused = str(error)
        method = {"custom_generate": "org/srgen", "trust_remote_code": True, "srgen_config": METHOD}
        output = tiny_model().generate(PROMPT, **ARGUMENTS, **method)
        print(json.dumps([refused, output.tolist() == with_processor(tiny_model()).tolist()]))
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=FOLDER.parent,
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refused, same = json.loads(done.stdout.splitlines()[-1])
    assert "trust_remote_code" in refused
    assert same


def test_custom_generate_says_what_is_wrong() -> None:
    with pytest.raises(ConfigError, match="unknown SRGen parameter 'speed'"):
        tiny_model().generate(
            PROMPT, **ARGUMENTS, custom_generate=str(FOLDER), trust_remote_code=True, srgen_config={"speed": 1}
        )

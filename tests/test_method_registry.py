"""A method of another package is one file; runs from before there were methods keep their identity."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from evaluators.aime import BENCHMARK as AIME
from evaluators.benchmarks.data_config import DataConfig
from evaluators.cli import run_config
from evaluators.mini import BENCHMARK as MINI
from evaluators.settings.run_config import ModelConfig, RunConfig, run_directory
from evaluators.settings.sources import ENVIRONMENT, read_settings
from srgen import SRGenConfig
from srgen.config import Sampling
from srgen.errors import ConfigError
from srgen.methods.slot import Slot

ROOT = Path(__file__).resolve().parents[1]
TOY = """
    from dataclasses import dataclass
    from typing import ClassVar

    from srgen.methods.contract import Effect, Method, parameter


    @dataclass(frozen=True, slots=True, kw_only=True)
    class Parrot(Method):
        name: ClassVar[str] = "parrot"
        title: ClassVar[str] = "Parrot"
        token: int = parameter(0, "token", "The only token that is ever said.")

        def begin(self, head, prompts):
            return [Effect(report={"heard": len(prompt.tokens)}) for prompt in prompts]

        def change(self, logits, tokens):
            changed = logits.clone()
            changed[self.token] = logits.max() + 100
            return changed
"""


def test_a_method_of_another_package_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "parrot.py").write_text(dedent(TOY))
    installed = tmp_path / "parrot-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[srgen.methods]\nparrot = parrot:Parrot\n")

    def mini(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "evaluators.mini", "--model_path", "demo", *arguments]
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        return subprocess.run(
            command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
        )

    small = ("--eval_samples", "2", "--max_new_tokens", "5")
    ended = mini("--method", "parrot", "--parrot_token", "42", *small)
    assert ended.returncode == 0, ended.stderr
    (folder,) = (tmp_path / "results" / "mini" / "demo").iterdir()
    assert folder.name.startswith("parrot-k1-")
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    for row in rows:
        assert len(set(row["response"])) == 1
        assert row["methods"] == {"parrot": {"heard": row["prompt_tokens"]}}
    assert "parrot" in (folder / "summary.csv").read_text()
    refused = mini("--method", "srgen+parrot", "--dry_run")
    assert refused.returncode == 2
    assert "parrot changes rows in a way that SRGen's context cannot know" in refused.stderr
    assert "--parrot_token" in mini("--help").stdout


def config(sampling: Sampling, **options: object) -> RunConfig:
    data = DataConfig(benchmark="mini", system_prompt=MINI.system_prompt)
    return RunConfig(model=ModelConfig(model_path="demo"), data=data, sampling=sampling, **options)  # type: ignore[arg-type]


def test_folders_of_older_runs_keep_their_names() -> None:
    """As they were called at commit 7ce4a6c."""
    sampling = Sampling(max_new_tokens=256)
    older = [
        (config(sampling), "base-k1-d604509a"),
        (config(sampling, srgen=SRGenConfig(reflection="sketch", sketch_top=256)), "srgen-k1-38dbcb8e"),
        (
            config(
                Sampling(max_new_tokens=256, top_k=5),
                srgen=SRGenConfig(reflection="sketch", sketch_top=256, times=2),
                average=4,
            ),
            "srgen-k4-43b70977",
        ),
    ]
    assert [run_directory(Path(), run).name for run, _ in older] == [name for _, name in older]


def test_a_methods_parameters_are_part_of_the_identity() -> None:
    runs = [config(Sampling(), methods=chosen) for chosen in ((), (Slot(),), (Slot(times=1),))]
    assert len({run_directory(Path(), run).name for run in runs}) == 3
    assert "methods" not in runs[0].identity()
    assert runs[2].identity()["methods"] == {"slot": {"times": 1, "lr": 0.1}}


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def method(*arguments: str) -> str:
    return run_config(AIME, read_settings(AIME, ["--model_path", "demo", *arguments])).method


def test_the_stronger_source_names_the_method(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("method: srgen+slot\nslot_times: 2\n")
    file = ("--config", str(tmp_path / "run.yaml"))
    assert method() == "base"
    assert method("--use_entropy_control") == method("--method", "srgen") == "srgen"
    assert method("--method", "slot+srgen", "--use_entropy_control") == "srgen+slot"
    assert method(*file) == "srgen+slot"
    assert method(*file, "--method", "base") == method(*file, "--no-use_entropy_control") == "base"
    clean.setenv("use_entropy_control", "1")
    assert method() == "srgen"
    assert method("--method", "slot") == "slot"


def test_contradictions_are_refused(clean: pytest.MonkeyPatch) -> None:
    for arguments in (["--use_entropy_control", "--method", "slot"], ["--no-use_entropy_control", "--method", "srgen"]):
        with pytest.raises(ConfigError, match="leave one of them out"):
            method(*arguments)

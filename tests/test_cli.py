"""The command line: what wins over what, what is refused and how, what reaches `evaluate`."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from argparse import SUPPRESS
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from benchmark_rows import GPQA_ROWS
from hypothesis import given
from hypothesis import strategies as st

from evaluators.__main__ import main as main_of_all
from evaluators.aime import BENCHMARK as AIME
from evaluators.benchmarks.benchmark import Benchmark
from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.registry import benchmarks
from evaluators.cli import main
from evaluators.gpqa import BENCHMARK as GPQA
from evaluators.hmmt import BENCHMARK as HMMT
from evaluators.mini import BENCHMARK as MINI
from evaluators.running.plan import RunPlan
from evaluators.settings.flag import Flag
from evaluators.settings.flags import BY_NAME, FLAGS, GROUPS
from evaluators.settings.flags_table import table, with_table
from evaluators.settings.run_config import ExecutionConfig, ModelConfig, RunConfig
from evaluators.settings.sources import ENVIRONMENT, parser_of, read_environment
from evaluators.settings.weights import weights_of
from srgen.config import Sampling, SRGenConfig
from srgen.methods.registry import methods

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def model(tmp_path: Path) -> str:
    folder = tmp_path / "tiny-model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return str(folder)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `evaluate` was called with, in place of running it."""
    made: list[dict[str, Any]] = []

    def evaluate(plan: RunPlan, **rest: Any) -> int:
        asked = {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}
        made.append(asked | {"prompt": plan.system_prompt} | rest)
        return 0

    module = ModuleType("evaluators.running.run")
    module.evaluate = evaluate  # type: ignore[attr-defined]
    module.evaluate_until_settled = evaluate  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "evaluators.running.run", module)
    return made


def refusal(capsys: pytest.CaptureFixture[str], benchmark: Benchmark, *arguments: str) -> str:
    assert main(benchmark, arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def test_defaults_are_the_papers_setting_and_a_base_run(model: str, calls: list[dict[str, Any]]) -> None:
    assert main(MINI, ["--model_path", model]) == 0
    config = calls[0]["config"]
    assert config == RunConfig(
        model=ModelConfig(model_path=model, weights=weights_of(Path(model))),
        data=DataConfig(benchmark="mini", system_prompt=MINI.system_prompt),
        sampling=Sampling(max_new_tokens=256),
    )
    assert calls[0]["prompt"] == MINI.system_prompt
    assert calls[0]["resume"] is True
    assert calls[0]["entropy_output_file"] is None
    assert calls[0]["directory"].parts[:3] == ("results", "mini", "tiny-model")


VALID = {
    "backend": "vllm",
    "chat_template_kwargs": '{"enable_thinking": true}',
    "temperature": 0.7,
    "top_p": 0.8,
    "min_p": 0.1,
    "top_h": 0.4,
    "gpu_memory_utilization": 0.5,
    "entropy_weight": 0.5,
    "version": "nov2025",
    "split": "test",
}
"""Values in range, for the flags whose default plus two is not."""
OPENAI = {"backend": "openai", "base_url": "http://host/v1"}
RELEASED = {"backend": "released"}
NEEDS: dict[str, dict[str, str]] = {
    "few_shot": {"prompt_style": "fewshot"},
    "base_url": OPENAI,
    "api_key_env": OPENAI,
    "tensor_parallel": {"backend": "vllm"},
    "reencode_context": RELEASED,
    "budget_per_pass": RELEASED,
    "drop_last_reflection": RELEASED,
}
"""What the flags of one backend alone need beside them."""


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.owner], ids=lambda flag: flag.name)
def test_every_flag_reaches_its_field(flag: Flag, model: str, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    questions.write_text("".join(json.dumps({"problem": f"{i}", "answer": i}) + "\n" for i in range(30)))
    (tmp_path / "folder").mkdir()
    shutil.copy(questions, tmp_path / "folder" / "test.jsonl")
    if flag.name == "split":
        questions = questions.with_name("folder")
    other = "x" if flag.kind == "str" else (flag.default or 0) + 2
    value = VALID.get(flag.name, flag.choices[1] if flag.choices else other)
    arguments = {"model_path": model, "dataset_path": str(questions), **NEEDS.get(flag.name, {})}
    if flag.name in ("model_path", "dataset_path"):
        value = arguments[flag.name]
    elif flag.name == "few_shot":
        value = arguments["few_shot"] = str(tmp_path / "examples.json")
        Path(value).write_text('[{"question": "1 + 1?", "answer": 2}]')
    elif flag.kind != "bool":
        arguments[flag.name] = str(value)
    given = [word for name, text in arguments.items() for word in (f"--{name}", text)]
    if flag.kind == "bool":
        value = not flag.default
        given.append(f"--{'no-' if flag.default else ''}{flag.name}")
    method = next((name for name, kind in methods().items() if kind is flag.owner), "srgen")
    # HMMT takes any thirty questions for its own; AIME knows its versions by their answers.
    assert main(HMMT if flag.name == "version" else AIME, [*given, "--method", method]) == 0
    config = calls[0]["config"]
    parts = {ModelConfig: config.model, DataConfig: config.data, Sampling: config.sampling, SRGenConfig: config.srgen,
             ExecutionConfig: config.execution, RunConfig: config} | {type(m): m for m in config.methods}  # fmt: skip
    assert getattr(parts[flag.owner], flag.target) == value != flag.default  # type: ignore[index]


def test_flags_of_the_run_itself(model: str, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    places = ["--output_dir", str(tmp_path), "--run_name", "x", "--entropy_output_file", str(tmp_path / "e.jsonl")]
    assert (
        main(MINI, ["--model_path", model, "--no-resume", *places, "--prompt_role", "user", "--eval_samples", "2"]) == 0
    )
    call = calls[0]
    assert call["directory"] == tmp_path / "mini" / "tiny-model" / "x"
    assert call["resume"] is False
    assert call["entropy_output_file"] == tmp_path / "e.jsonl"
    assert len(call["questions"]) == 2
    assert all(question.prompt.endswith(f"\n\n{MINI.system_prompt}") for question in call["questions"])
    assert call["prompt"] is None


def test_every_config_field_has_a_flag() -> None:
    for owner, others in {
        ModelConfig: {"weights", "revision", "number_format"},
        DataConfig: {"benchmark", "questions", "examples"},
        Sampling: {"stop"},
        SRGenConfig: set(),
        ExecutionConfig: set(),
        RunConfig: {"model", "data", "sampling", "srgen", "methods", "execution"},
    }.items():
        fields = {field.name for field in dataclasses.fields(owner)} - others
        assert fields == {flag.name for flag in FLAGS if flag.owner is owner}


def test_flags_of_the_released_code_are_all_there() -> None:
    names = """
        model_path device eval_samples split do_sample temperature max_new_tokens seed use_entropy_control times lr
        entropy_threshold max_retries record_entropy entropy_output_file entropy_weight adaptive_entropy minimal_std
        adaptive_entropy_N adaptive_entropy_K mask_special_tokens minimal_threshold parallel max_parallel_gpus average
        version top_p batch_size backend dtype dataset_path output_dir run_name resume config
    """
    assert set(names.split()) <= set(BY_NAME)
    assert "`--set_minimal_threshold`" in table()


def test_flag_wins_over_file_over_environment_over_default(
    model: str, calls: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("lr: 0.2\ntimes: 2\nentropy_weight: 0.2\nmax_retries:\n")
    for name, value in {"times": "1", "entropy_weight": "0.1", "lr": "0.1", "minimal_std": "0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("entropy_control", "True")
    assert main(MINI, ["--model_path", model, "--config", str(file), "--lr", "0.3"]) == 0
    srgen = calls[0]["config"].srgen
    assert (srgen.lr, srgen.times, srgen.entropy_weight, srgen.minimal_std) == (0.3, 2, 0.2, 0.1)
    assert srgen.max_retries == 20  # a null key leaves the default
    assert main(MINI, ["--model_path", model, "--no-use_entropy_control"]) == 0
    assert calls[1]["config"].srgen is None


def test_values_from_the_environment_are_announced(
    model: str, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("times", "5")
    main(MINI, ["--model_path", model])
    assert "taken from the environment: times=5" in caplog.text
    monkeypatch.setenv("times", "")
    assert read_environment({"times": ""}) == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--times", "0"], "times must be at least 1"),
        (["--average", "0"], "average must be at least 1"),
        (
            ["--temperature", "-1"],
            "temperature must be positive, not -1.0; for greedy decoding set do_sample=False (--no",
        ),
        (["--temperature", "nan"], "temperature must be positive"),
        (["--top_p", "1.5"], "top_p must lie in (0, 1]"),
        (["--times", "many"], "--times must be of type int, not 'many'"),
        (["--lr", "fast"], "--lr must be of type float, not 'fast'"),
        (["--times", "2.5"], "--times must be of type int"),
        (["--batch_size", "0"], "batch_size must be at least 1"),
        (["--eval_samples", "0"], "eval_samples must be at least 1"),
        (["--workers", "-1"], "workers must be at least 1"),
        (["--grading_timeout", "0"], "grading_timeout must be positive"),
        (["--gpu_memory_utilization", "2"], "gpu_memory_utilization must lie in (0, 1]"),
        (["--backend", "tgi"], "unknown backend 'tgi'; known: openai, released, transformers, vllm"),
        (["--reflection", "both"], "--reflection must be one of support, sketch, exact"),
        (["--dtype", "int4"], "--dtype must be one of auto, float32, bfloat16, float16"),
        (["--chat_template_kwargs", "yes"], "--chat_template_kwargs must be a JSON object such as"),
        (["--thinking_budget", "-1"], "thinking_budget must be at least 0 tokens"),
        (
            ["--ignore_end", "1", "--backend", "openai", "--base_url", "http://localhost:1"],
            "--ignore_end go with --backend transformers or vllm",
        ),
        (["--prompt_style", "fewshot"], "--prompt_style fewshot and --few_shot FILE go together"),
        (["--prompt_style", "fewshot", "--few_shot", "none.json"], "the few-shot file none.json cannot be read"),
        (
            ["--prompt_style", "raw", "--chat_template_kwargs", "{}"],
            "--chat_template_kwargs go with --prompt_style chat",
        ),
        (["--version", "2023"], "unknown version '2023' of aime; known: 2024, 2025, 2026"),
        (["--temprature", "1"], "unknown flag '--temprature'; did you mean '--temperature'?"),
        (["--set_minimal_threshold"], "--set_minimal_threshold has no effect in the released code"),
        (["--lr"], "expected one argument"),
        (["extra"], "unexpected argument 'extra'"),
        (["--config", "none.yaml"], "the config file none.yaml cannot be read: No such file"),
        (["--dataset_path", "none.jsonl"], "there is no dataset at none.jsonl"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str], says: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refusal(capsys, AIME, "--model_path", model, *arguments)


def test_version_of_an_embedded_benchmark(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "mini has no versions" in refusal(capsys, MINI, "--model_path", model, "--version", "1")


@pytest.mark.parametrize("path", ["/nowhere/model", "./model", "~/no/model", "a/b/c", "tests/no-such-model", "model/"])
def test_missing_model_folder(path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert refusal(capsys, MINI, "--model_path", path).startswith(f"there is no model folder at {path};")


def test_hub_ids_are_left_to_the_engine(calls: list[dict[str, Any]]) -> None:
    for path in ("gpt2", "Qwen/Qwen2.5-Math-7B"):
        assert main(MINI, ["--model_path", path]) == 0
    assert [call["config"].model.model_path for call in calls] == ["gpt2", "Qwen/Qwen2.5-Math-7B"]


def test_folder_without_a_model_and_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no config.json" in refusal(capsys, MINI, "--model_path", str(tmp_path))
    assert "--model_path is missing" in refusal(capsys, MINI)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("temprature: 1", "unknown key 'temprature' in {file}; did you mean 'temperature'?"),
        ("zzzzzz: 1", "unknown key 'zzzzzz' in {file}; known: model_path, backend, dtype and "),
        ("config: a.yaml", "unknown key 'config'"),
        ("1: 2", "unknown key '1'"),
        ("times: three", "times in {file} must be of type int, not 'three'"),
        ("times: 2.5", "times in {file} must be of type int, not 2.5"),
        ("times: .inf", "times in {file} must be of type int"),
        ("times: true", "times in {file} must be of type int, not True"),
        ("times: [3]", "times in {file} must be of type int, not [3]"),
        ("adaptive_entropy: 7", "adaptive_entropy in {file} must be of type bool, not 7"),
        ("system_prompt: {a: b}", "system_prompt in {file} must be text"),
        ("model_path: yes", "model_path in {file} must be text, not True"),
        ("times: 0", "times must be at least 1"),
        ("- times", "{file} must hold one `flag: value` per line"),
        ("times: [", "{file} is not valid YAML"),
    ],
)
def test_mistakes_in_a_file_are_one_sentence(
    content: str, says: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(content)
    assert says.format(file=file) in refusal(capsys, MINI, "--model_path", model, "--config", str(file))


def test_file_may_set_any_flag(model: str, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        f"model_path: {model}\nuse_entropy_control: yes\nlr: 1e-2\nsystem_prompt: ''\nrun_name: 7\naverage: 2\n"
        f"output_dir: {tmp_path}\nversion: 2025\ndataset_path: {tmp_path}/q.jsonl\nresume: no\n"
    )
    (tmp_path / "q.jsonl").write_text('{"problem": "p", "answer": 3}')
    assert main(AIME, ["--config", str(file)]) == 0
    call = calls[0]
    assert call["config"].srgen == SRGenConfig(lr=0.01)
    assert call["prompt"] is None
    assert call["directory"] == tmp_path / "aime-q" / "tiny-model" / "7"
    assert call["resume"] is False


def test_system_prompt_is_recorded_and_replaced(model: str, calls: list[dict[str, Any]]) -> None:
    main(MINI, ["--model_path", model, "--system_prompt", "Be brief."])
    assert calls[0]["prompt"] == calls[0]["config"].data.system_prompt == "Be brief."


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--average", "2", "--no-do_sample"], "all 2 samples of a question are the same"),
        (["--times", "2"], "--times has no effect without --method srgen"),
        (["--slot_lr", "0.2"], "--slot_lr has no effect without --method slot"),
        (["--entropy_output_file", "e.jsonl"], "--entropy_output_file has no effect without --record_entropy"),
        (["--no-do_sample", "--temperature", "1"], "--temperature has no effect without --do_sample"),
        (["--gpu_memory_utilization", "0.5"], "--gpu_memory_utilization has no effect without --backend vllm"),
        (["--max_parallel_gpus", "2"], "--max_parallel_gpus has no effect without --parallel"),
        (["--parallel", "--device", "cuda:0"], "--device has no effect with --parallel"),
        (["--average", "1", "--average", "3"], "--average is given 2 times; the last, 3, holds"),
        (["--eval_samples", "1000"], "questions are taken, since eval_samples asks for 1000"),
    ],
)
def test_what_has_no_effect_is_a_warning(
    arguments: list[str], says: str, model: str, calls: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    assert main(MINI, ["--model_path", model, *arguments]) == 0
    assert says in caplog.text
    caplog.clear()
    assert main(MINI, ["--model_path", model, "--times", "2", "--no-use_entropy_control"]) == 0
    assert not caplog.records


def test_dry_run_prints_the_folder_and_runs_nothing(
    model: str, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluators.running.dry_run.examine", lambda plan: [])  # tests/test_dry_run.py
    assert main(MINI, ["--model_path", model, "--dry_run"]) == 0
    folder = capsys.readouterr().out.strip()
    assert not calls
    assert main(MINI, ["--model_path", model]) == 0
    assert str(calls[0]["directory"]) == folder
    assert main(MINI, ["--model_path", model, "--use_entropy_control"]) == 0
    assert str(calls[1]["directory"]) != folder


def test_base_and_srgen_are_asked_the_same(model: str, calls: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in GPQA_ROWS))
    common = ["--model_path", model, "--dataset_path", str(tmp_path / "q.jsonl"), "--eval_samples", "4"]
    main(GPQA, common)
    main(GPQA, [*common, "--use_entropy_control"])
    assert calls[0]["questions"] == calls[1]["questions"]


@pytest.mark.parametrize("name", benchmarks())
def test_help_is_grouped_with_unit_and_default_of_every_flag(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", f"evaluators.{name}", "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    for group in GROUPS:
        assert f"\n{group}:\n" in done.stdout
    text = " ".join(done.stdout.split())
    for flag in FLAGS:
        unit, default = re.escape(" ".join(flag.unit.split())), re.escape(flag.default_text)
        default = r"\d+" if flag.name == "max_new_tokens" else default
        assert re.search(rf"--{flag.name}\b.*? \[{unit}; default {default}\]", text), flag.name
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "transformers", "datasets", "pandas"}


def test_parser_and_flags_agree() -> None:
    actions = [action for action in parser_of(AIME)._actions if action.dest != "help"]
    assert [action.dest for action in actions] == [
        flag.name for group in GROUPS for flag in FLAGS if flag.group == group
    ]
    assert all(action.default is SUPPRESS for action in actions)


def test_table_in_the_documents_is_the_parsers() -> None:
    name = "docs/flags.md"
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- flags -->\n" in text
    assert text == with_table(text), f"bring it up to date with `python -m evaluators.settings.flags_table {name}`"
    rows = text.split("<!-- flags -->")[1].split("<!-- /flags -->")[0].splitlines()
    first_cells = {cell for row in rows for cell in re.findall(r"`(--[\w-]+)`", row.split(" | ")[0])}
    options = {option for action in parser_of(AIME)._actions for option in action.option_strings} - {"-h", "--help"}
    assert first_cells == options | {"--set_minimal_threshold"}


@given(st.text())
def test_table_is_written_between_its_marks_alone(around: str) -> None:
    text = f"{around}<!-- flags -->\nold\n<!-- /flags -->"
    if "<!-- flags -->" not in around:
        assert with_table(text) == f"{around}<!-- flags -->\n{table()}\n<!-- /flags -->"


def test_one_command_over_all(model: str, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main_of_all(["--list"]) == 0
    assert "HuggingFaceH4/MATH-500" in capsys.readouterr().out
    assert main_of_all(["mini", "--model_path", model]) == 0
    assert calls[0]["config"].data.benchmark == "mini"
    assert main_of_all(["mimi"]) == 2
    assert capsys.readouterr().err == "error: unknown benchmark 'mimi'; did you mean 'mini'?\n"
    assert main_of_all([]) == 2
    assert "usage:" in capsys.readouterr().err
    assert main_of_all(["--help"]) == 0
    assert all(name in capsys.readouterr().out for name in ("gpqa",))


def test_interrupt_before_the_run_leaves_quietly(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evaluators.cli.read_questions", interrupted)
    assert main(MINI, ["--model_path", model]) == 130

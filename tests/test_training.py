"""The command that trains: its settings, its phases on a tiny model, and going on after kill -9."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from srgen.errors import ConfigError
from training import pasr
from training.checkpoints import last_checkpoint
from training.metrics import MetricsFile, summary
from training.reward import Reward
from training.settings import TrainingConfig, read_settings, settings_of

if TYPE_CHECKING:
    from tests.tiny_training import import_trainers, tiny_config, tiny_folder
else:
    from tiny_training import import_trainers, tiny_config, tiny_folder

ROOT = Path(__file__).resolve().parents[1]
GIVEN = {"model_path": "demo", "output_dir": "out"}


# Settings


@pytest.mark.parametrize("name", ["pasr_train", "pasr_train_demo"])
def test_the_projects_configs_are_read(name: str) -> None:
    settings = read_settings(ROOT / "configs" / f"{name}.yaml")
    assert settings.accumulation(devices=1) > 0


def test_the_recipe_has_the_papers_values() -> None:
    settings = read_settings(ROOT / "configs" / "pasr_train.yaml")
    assert (settings.group_size, settings.baseline_samples, settings.zeta) == (8, 8, 0)
    assert (settings.beta, settings.clip, settings.learning_rate) == (0.04, 0.2, 1e-6)
    assert (settings.temperature, settings.max_new_tokens, settings.steps) == (0.9, 1500, 3000)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"temprature": 1.0}, "unknown key 'temprature' in x.yaml; did you mean 'temperature'?"),
        ({"num_pre_Q": 8}, "num_pre_Q in x.yaml is called group_size"),
        ({"port": 59809}, "port in x.yaml is not needed: there is no reference server"),
        ({"wandb_key": "k"}, "is never written into a file: set report_to to wandb, and WANDB_API_KEY"),
        ({"steps": "many"}, "steps in x.yaml must be a whole number, not 'many'"),
        ({"steps": True}, "steps in x.yaml must be a whole number, not True"),
        ({"steps": 0}, "steps must be above 0, not 0"),
        ({"temperature": float("nan")}, "temperature must be above 0, not nan"),
        ({"zeta": -0.1}, "zeta must be at least 0, not -0.1"),
        ({"group_size": 1}, "group_size must be at least 2"),
        ({"baseline_samples": 12}, "baseline_samples (12) must be a multiple of group_size (8)"),
        ({"vllm": "maybe"}, "vllm in x.yaml must be one of auto, always, never, not 'maybe'"),
        ({"dtype": "int8"}, "dtype must be one of auto, float32, bfloat16, not 'int8'"),
        ({"split": "train"}, "dataset_path and split need a benchmark"),
        ({"questions": 10**9}, "must be at most 5000"),
        ({"output_dir": None}, "x.yaml has no output_dir"),
    ],
)
def test_a_mistake_is_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings_of(GIVEN | values, "x.yaml")
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_numbers_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("model_path: demo\noutput_dir: out\nlearning_rate: 1e-5\nbeta: 0\nlora_rank:\n")
    settings = read_settings(path)
    assert (settings.learning_rate, settings.beta, settings.lora_rank) == (1e-5, 0.0, 0)


def test_a_step_is_whole_batches() -> None:
    settings = TrainingConfig(model_path="m", output_dir="o", questions_per_step=5, group_size=8, train_batch_size=2)
    assert settings.accumulation(devices=4) == 5
    with pytest.raises(ConfigError, match=r"40 responses .* multiple of 6 \(train_batch_size x 3 devices\)"):
        settings.accumulation(devices=3)


@pytest.mark.parametrize("missing", [["trl"], ["peft"], ["trl", "peft"]])
def test_without_the_extra_one_sentence_says_what_to_install(
    missing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = importlib.util.find_spec("json")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else there)
    assert pasr.main(["--config", str(tiny_yaml(tmp_path))]) == 2
    told = capsys.readouterr()
    install = "run `pip install -e '.[train]'` in the project's clone"
    assert told.err == f"error: training needs {' and '.join(missing)}, not installed here; {install}\n"


def test_a_logger_must_be_known_and_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = importlib.util.find_spec("json")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else there)
    for name, sentence in (("wandbb", "report_to must be none or of trackio, wandb"), ("wandb", "pip install wandb")):
        assert pasr.main(["--config", str(tiny_yaml(tmp_path, report_to=name))]) == 2
        assert sentence in capsys.readouterr().err


def test_a_folder_holds_one_training(tmp_path: Path) -> None:
    settings = read_settings(tiny_yaml(tmp_path))
    pasr.keep_settings(settings, tmp_path / "out")
    pasr.keep_settings(read_settings(tiny_yaml(tmp_path, report_to="wandb", save_steps=7)), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"holds a training with temperature 0\.9, not 0\.5; choose another"):
        pasr.keep_settings(read_settings(tiny_yaml(tmp_path, temperature=0.5)), tmp_path / "out")


def tiny_yaml(folder: Path, **values: Any) -> Path:
    """Settings of a model that is not there."""
    return tiny_config(folder / "tiny.yaml", folder / "model", **values)


# Files


def test_a_torn_checkpoint_is_not_gone_on_from(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for step, state in ((9, '{"global_step": 9}'), (10, '{"global_step": 10}'), (11, '{"global'), (12, None)):
        checkpoint = tmp_path / f"checkpoint-{step}"
        checkpoint.mkdir()
        if state is not None:
            (checkpoint / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == (tmp_path / "checkpoint-10", 10)


def test_steps_after_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path)
    file.resume("grpo", 0)
    file.add("base", samples=4, well_formed=0)
    for step in (1, 2, 3):
        file.add("grpo", step=step, groups_with_spread=0.5)
    with file.path.open("a") as torn:
        torn.write('{"phase": "grpo", "st')
    file.resume("grpo", 2)
    file.add("grpo", step=3, groups_with_spread=1.0)
    assert [row.get("step") for row in file.rows()] == [None, 1, 2, 3]
    assert summary(file.rows()) == (
        "well-formed responses: base 0/4; 3 steps of GRPO, rewards differed in 67 % of the groups"
    )


# Training a tiny model


@pytest.fixture(scope="module")
def trainers() -> None:
    """What trains, imported once, and inherited by the processes that are killed."""
    pytest.importorskip("trl", reason="needs the extra `train`")
    import_trainers()


def uneven(response: str, *_: Any) -> Reward:
    """A reward that differs between the responses of a model that knows no format."""
    return Reward(float(len(response.encode()) % 2), float(response.count("a")), float(sum(response.encode()) % 5))


def stopped(settings: TrainingConfig, phase: str, step: int, torn: bool) -> None:
    """Train until that step is logged, or until its checkpoint is half written, and be killed there."""
    import transformers

    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    add = MetricsFile.add

    def add_and_die(self: MetricsFile, of_phase: str, **values: Any) -> None:
        add(self, of_phase, **values)
        if (of_phase, values.get("step")) == (phase, step):
            if torn:
                transformers.Trainer._save_rng_state = die
            else:
                die()

    MetricsFile.add = add_and_die  # type: ignore[method-assign]
    pasr.run(settings)


def test_a_killed_training_goes_on_as_if_it_had_not_been(
    trainers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from safetensors.torch import load_file

    import training.grpo

    monkeypatch.setattr(training.grpo, "reward_of", uneven)
    model = tiny_folder(tmp_path / "model")
    values = {"steps": 4, "learning_rate": 1e-2}
    whole = read_settings(tiny_config(tmp_path / "whole.yaml", model, **values))
    killed = read_settings(tiny_config(tmp_path / "killed.yaml", model, **values))
    for phase, step, torn in (("warm_up", 3, False), ("grpo", 2, False), ("grpo", 3, True)):
        process = multiprocessing.get_context("fork").Process(target=stopped, args=(killed, phase, step, torn))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "killed" / "checkpoints" / "grpo" / "checkpoint-3").exists()
    warmed = (tmp_path / "killed" / "warmed_up" / "model.safetensors").stat().st_mtime_ns
    pasr.run(killed)
    pasr.run(whole)
    # The warm-up that was done is not done again, and a training that is done neither.
    assert (tmp_path / "killed" / "warmed_up" / "model.safetensors").stat().st_mtime_ns == warmed
    capsys.readouterr()
    pasr.run(whole)
    told = capsys.readouterr().out
    assert told.startswith("well-formed responses: base 0/4, warmed up 0/4, trained 0/4; 4 steps of GRPO")
    assert told.endswith(f"the trained model is in {tmp_path / 'whole' / 'model'}\n") and len(told.splitlines()) == 2

    assert metrics(tmp_path / "killed") == metrics(tmp_path / "whole")
    assert [(row["phase"], row.get("step")) for row in metrics(tmp_path / "whole")] == [
        ("base", None),
        *(("warm_up", step) for step in (1, 2, 3, 4)),
        ("warmed_up", None),
        *(("grpo", step) for step in (1, 2, 3, 4)),
        ("trained", None),
    ]
    one, other = (load_file(tmp_path / run / "model" / "model.safetensors") for run in ("killed", "whole"))
    before = load_file(tmp_path / "whole" / "warmed_up" / "model.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in other)
    assert not any(torch.equal(before[name], other[name]) for name in other if "layers" in name)


def metrics(folder: Path) -> list[dict[str, Any]]:
    """What was written of a training, without the seconds."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_adapters_end_in_the_model_and_a_model_needs_no_chat_template(
    trainers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    import training.grpo

    asked: list[tuple[int, str]] = []
    generate = training.grpo.PasrTrainer._generate_single_turn

    def recorded(self: Any, prompt_ids: list[list[int]], *rest: Any) -> Any:
        asked.append((len(prompt_ids), self.processing_class.decode(prompt_ids[0])))
        return generate(self, prompt_ids, *rest)

    monkeypatch.setattr(training.grpo.PasrTrainer, "_generate_single_turn", recorded)
    monkeypatch.setattr(training.grpo, "reward_of", uneven)
    model = tiny_folder(tmp_path / "plain", template=None)
    settings = read_settings(
        tiny_config(tmp_path / "a.yaml", model, lora_rank=2, steps=2, baseline_samples=4, warm_up_epochs=1)
    )
    pasr.run(settings)
    trained = tmp_path / "a" / "model"
    assert not (trained / "adapter_config.json").exists()
    AutoModelForCausalLM.from_pretrained(trained)
    before, after = (load_file(folder / "model.safetensors") for folder in (tmp_path / "a" / "warmed_up", trained))
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed and all("proj" in name for name in changed)
    # Each step asks its 2 questions twice with the tags, and once 4 times without.
    assert [count for count, _ in asked] == [4, 8, 4, 8]
    for (_, tagged), (_, plain) in zip(asked[::2], asked[1::2], strict=True):
        assert tagged.startswith("Use the tags.\n\n") and plain.startswith("Answer.\n\n")
        assert tagged.removeprefix("Use the tags.") == plain.removeprefix("Answer.")


def test_plain_answers_are_averaged_over_their_group(trainers: None) -> None:
    """Two questions, two responses to each and four plain samples, one of them in tags and one cut off."""
    from evaluators.grading import GradingPool
    from training.grpo import PasrTrainer

    said = ["The answer is 4.", "<think>a</think><answer>4</answer>", "The answer is 5.", "So the answer is 4"]
    said += ["The answer is 7."] * 4
    row = {"plain_prompt": "p", "gold": "4", "kind": "numeric"}
    rows = [row, row, row | {"gold": "7"}, row | {"gold": "7"}]
    trainer = SimpleNamespace(
        num_generations=2,
        _samples_per_row=2,
        eos_token_ids=[0],
        accelerator=SimpleNamespace(device="cpu", process_index=0),
        _tokenize_prompts=lambda prompts: (prompts, None, {}),
        _generate_single_turn=lambda ids, images, fields, count: ([[i, 9 if i == 3 else 0] for i in range(8)], None),
        _texts=lambda tokens: [said[sample[0]] for sample in tokens],
    )
    with GradingPool() as trainer._pool:
        trainer._grades = lambda *columns: PasrTrainer._grades(trainer, *columns)
        assert PasrTrainer._baselines(trainer, rows) == [0.5, 0.5, 1.0, 1.0]


def test_a_tokenizer_that_drops_the_tags_is_refused(trainers: None, tmp_path: Path) -> None:
    from training.model import load_tokenizer
    from training.questions import check_tags, prompt_of

    tokenizer = load_tokenizer(str(tiny_folder(tmp_path)))
    check_tags(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    with pytest.raises(ConfigError, match="does not keep the tags"):
        check_tags(tokenizer)
    tokenizer.chat_template = "{{ raise_exception('no system') if messages[0].role == 'system' }}"
    assert prompt_of(tokenizer, "2 + 2?", "Use tags.") == [{"role": "user", "content": "Use tags.\n\n2 + 2?"}]
    with pytest.raises(ConfigError, match="no model can be loaded from"):
        load_tokenizer(str(tmp_path / "nowhere"))


def test_trl_is_told_what_its_defaults_are_not(trainers: None, tmp_path: Path) -> None:
    from trl import GRPOConfig

    from training.grpo import arguments

    config = GRPOConfig(**arguments(read_settings(tiny_yaml(tmp_path, beta=0.04, temperature=0.9)), tmp_path))
    assert (config.loss_type, config.scale_rewards, config.use_bias_correction_kl) == ("grpo", "group", False)
    assert (config.beta, config.epsilon, config.num_iterations, config.steps_per_generation) == (0.04, 0.2, 1, 2)
    assert (config.temperature, config.top_p, config.top_k, config.use_vllm) == (0.9, 1.0, 0, False)

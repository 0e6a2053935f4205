"""Train a model to refine while it thinks: PASR's warm-up and GRPO, one command that goes on where it was stopped."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from evaluators.benchmarks.benchmark import Question
from srgen.command_line import Parser, command
from srgen.demo_model import resolve_model_path
from srgen.errors import ConfigError, SRGenError
from srgen.extras import install
from training.metrics import BASE, TRAINED, WARMED_UP, summary
from training.session import Session
from training.settings import TrainingConfig, read_settings

CONFIG = "config.yaml"
"""The settings, in the output folder."""
FREE = ("report_to", "vllm", "save_steps", "train_batch_size", "gradient_checkpointing", "output_dir")
"""What may differ when a training goes on: it changes how fast it is and what is kept, not what is trained."""
LOGGERS = ("trackio", "wandb", "tensorboard")


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Read the settings, and train."""
    parser = Parser(
        prog="python -m training.pasr",
        description="Train a model to refine while it thinks (PASR): a warm-up on worked examples, then GRPO.",
        epilog="The same command goes on where it was stopped; on several GPUs: accelerate launch -m training.pasr ...",
    )
    parser.add_argument("--config", required=True, metavar="FILE", type=Path, help="YAML file, see docs/pasr.md")
    settings = read_settings(parser.parse_args(arguments).config)
    check_installed(settings)
    run(settings)
    return 0


def check_installed(settings: TrainingConfig) -> None:
    """Raise SRGenError, with what to install, for a package that is missing."""
    missing = [name for name in ("trl", "peft") if importlib.util.find_spec(name) is None]
    if missing:
        raise SRGenError(f"training needs {' and '.join(missing)}, not installed here; {install('train')}")
    for name in settings.loggers:
        if name not in LOGGERS:
            raise ConfigError(f"report_to must be none or of {', '.join(LOGGERS)}, not {name!r}")
        if importlib.util.find_spec(name) is None:
            raise SRGenError(
                f"report_to names {name}, which is not installed; run `pip install {name}`, or leave it out"
            )


def run(settings: TrainingConfig) -> None:
    """Train, or go on with a training; what is done already is left out. Raises SRGenError where that cannot be."""
    # TRL would count its uses on the hub.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import torch
    from accelerate import PartialState

    from training.model import load_tokenizer
    from training.questions import check_tags, read_questions

    without_progress_bars()
    base = resolve_model_path(settings.model_path)
    # The trainers take up this state; without a GPU, processes find each other only where it is told of the CPU.
    state = PartialState(cpu=not torch.accelerator.is_available())
    settings.accumulation(state.num_processes)
    questions = read_questions(settings)
    tokenizer = load_tokenizer(base)
    check_tags(tokenizer)
    session = Session(settings, tokenizer, Path(settings.output_dir).expanduser())
    if state.is_main_process:
        keep_settings(settings, session.folder)
    state.wait_for_everyone()
    train(session, base, questions)


def train(session: Session, base: str, questions: Sequence[Question]) -> None:
    """The phases in their order, each left out where it is done."""
    from training import grpo
    from training.warm_up import warm_up

    settings = session.settings
    count_format(session, BASE, base, questions)
    if settings.warm_up_examples:
        if not session.warmed_up.exists():
            say(f"warm-up: {settings.warm_up_examples} examples, {settings.warm_up_epochs} times")
            warm_up(session, base)
        base = str(session.warmed_up)
        count_format(session, WARMED_UP, base, questions)
    if not session.trained.exists():
        count = settings.questions_per_step
        say(f"grpo: {count} of {len(questions)} questions a step, {settings.group_size} responses to each")
        grpo.train(session, base, questions)
    count_format(session, TRAINED, str(session.trained), questions)
    say(f"{summary(session.metrics.rows())}\nthe trained model is in {session.trained}")


def count_format(session: Session, phase: str, model: str, questions: Sequence[Question]) -> None:
    """Count a model's well-formed responses on the main process, unless that phase's are counted."""
    from accelerate import PartialState

    from training.format_rate import well_formed
    from training.questions import prompt_of

    if PartialState().is_main_process and not session.metrics.has(phase):
        settings, samples = session.settings, session.settings.format_samples
        asked = [questions[i % len(questions)].prompt for i in range(samples)]
        prompts = [prompt_of(session.tokenizer, question, settings.refine_prompt) for question in asked]
        found = well_formed(session, model, prompts)
        session.metrics.add(phase, samples=samples, well_formed=found, format_rate=round(found / samples, 4))
        say(f"{phase.replace('_', ' ')}: {found} of {samples} responses are well-formed")
    PartialState().wait_for_everyone()


def keep_settings(settings: TrainingConfig, folder: Path) -> None:
    """Write the settings into a new folder; raise ConfigError where the folder holds a training with others."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CONFIG
    if path.exists():
        kept = read_settings(path)
        for field in dataclasses.fields(settings):
            before, now = getattr(kept, field.name), getattr(settings, field.name)
            if before != now and field.name not in FREE:
                raise ConfigError(
                    f"{folder} holds a training with {field.name} {before!r}, not {now!r}; choose another output_dir"
                )
    partial = path.with_suffix(".partial")
    partial.write_text(yaml.safe_dump(dataclasses.asdict(settings), sort_keys=False), "utf-8")
    partial.replace(path)


def without_progress_bars() -> None:
    """Leave out the bars of libraries: a step has a line of its own."""
    from datasets import disable_progress_bars
    from transformers.utils import logging

    disable_progress_bars()
    logging.disable_progress_bar()


def say(text: str) -> None:
    """Print on the main process, at once."""
    from accelerate import PartialState

    if PartialState().is_main_process:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""How questions reach base models: bare text, or text after worked examples, with a forced beginning."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.few_shot import read_examples
from evaluators.benchmarks.prompts import prompt_of, stops_of
from evaluators.settings.flags import BY_NAME
from evaluators.settings.run_config import ModelConfig, RunConfig, run_directory
from srgen import ConfigError, Message, Sampling

EXAMPLES = {
    "a.json": '[{"question": "1 + 1?", "answer": 2}, {"problem": "Of 2 and 3?", "solution": "The sum is 5."}]',
    "a.jsonl": '{"question": "1 + 1?", "answer": 2}\n\n{"prompt": "Of 2 and 3?", "response": "The sum is 5."}\n',
    "a.yaml": "- question: 1 + 1?\n  answer: 2\n- question: Of 2 and 3?\n  answer: The sum is 5.\n",
}
TEXT = "Question: 1 + 1?\nAnswer: 2\n\nQuestion: Of 2 and 3?\nAnswer: The sum is 5.\n\n"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_stand_before_the_question(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(EXAMPLES[name])
    assert read_examples(tmp_path / name) == TEXT
    data = DataConfig(benchmark="mini", prompt_style="fewshot", few_shot=name, examples=TEXT)
    assert prompt_of("4 + 4?", "Add.", data) == f"Add.\n\n{TEXT}Question: 4 + 4?\nAnswer:"
    assert stops_of(data, ("x",)) == ("x", "\nQuestion:")


def test_a_chat_and_bare_text() -> None:
    chat, raw = (DataConfig(benchmark="mini", prompt_style=style) for style in ("chat", "raw"))
    assert prompt_of("4?", "Add.", chat) == (Message("system", "Add."), Message("user", "4?"))
    assert prompt_of("4?", None, chat) == (Message("user", "4?"),)
    assert prompt_of("4?", "Add.", raw) == "Add.\n\n4?\n\n"
    assert stops_of(raw, ()) == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"question": "1"', "does not parse"),
        ("just text", "must hold a list of examples"),
        ("[]", "must hold a list of examples"),
        ('["a"]', "example 1 of .* must have the fields question and answer"),
        ('[{"question": "1", "answer": "2"}, {"question": "1"}]', "example 2 of .* has none of the fields solution"),
    ],
)
def test_a_file_that_does_not_parse_is_a_sentence(content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ConfigError, match=says):
        read_examples(tmp_path / "a.json")


def test_template_arguments_have_one_spelling() -> None:
    flag = BY_NAME["chat_template_kwargs"]
    spelled = flag.parse('{"b": 1, "a": true}', "x")
    assert spelled == flag.parse({"a": True, "b": 1}, "x") == '{"a": true, "b": 1}'


def test_what_changes_the_samples_changes_the_run_and_defaults_do_not() -> None:
    def folder(model: dict[str, str] | None = None, data: dict[str, str] | None = None, **sampling: int) -> Path:
        config = RunConfig(
            model=ModelConfig(model_path="m", **(model or {})),  # type: ignore[arg-type]
            data=DataConfig(benchmark="mini", **(data or {})),  # type: ignore[arg-type]
            sampling=Sampling(**sampling),  # type: ignore[arg-type]
        )
        return run_directory(Path("results"), config)

    others = [
        folder({"chat_template_kwargs": '{"enable_thinking": true}'}),
        folder(data={"prefix": "<think>\n"}),
        folder(data={"prompt_style": "raw"}),
        folder(data={"prompt_style": "fewshot", "few_shot": "a.json", "examples": TEXT}),
        folder(data={"prompt_style": "fewshot", "few_shot": "a.json", "examples": TEXT[:-2]}),
        folder(thinking_budget=100),
        folder(ignore_end=1),
    ]
    moved = folder(data={"prompt_style": "fewshot", "few_shot": "elsewhere/a.json", "examples": TEXT})
    assert len({folder(), *others}) == 8
    assert moved == others[3]
    assert folder() == folder(thinking_budget=None, ignore_end=0, data={"prefix": ""})  # type: ignore[arg-type]

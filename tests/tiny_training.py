"""A tiny random Llama with a tokenizer of bytes, as a folder, and a training of it that takes seconds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def import_trainers() -> None:
    """Import what trains. The folder tests/vllm, on pytest's path, would be vLLM without a version for TRL."""
    path = list(sys.path)
    sys.path[:] = [entry for entry in path if Path(entry).resolve() != Path(__file__).resolve().parent]
    try:
        import training.grpo
        import training.warm_up  # noqa: F401
    finally:
        sys.path[:] = path


def tiny_folder(folder: Path, template: str | None = CHAT_TEMPLATE) -> Path:
    """The folder of a model of 20,000 weights that reads bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_only = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_only, eos_token="<|end|>", pad_token="<|pad|>")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def tiny_config(path: Path, model: Path, **values: Any) -> Path:
    """The YAML file of a training of the model in that folder; `values` go over the small ones."""
    settings = {
        "model_path": str(model),
        "output_dir": str(path.with_suffix("")),
        "questions": 8,
        "group_size": 2,
        "baseline_samples": 2,
        "refine_prompt": "Use the tags.",
        "plain_prompt": "Answer.",
        "max_new_tokens": 8,
        "steps": 3,
        "questions_per_step": 2,
        "train_batch_size": 2,
        "learning_rate": 1e-3,
        "warm_up_examples": 4,
        "warm_up_epochs": 2,
        "warm_up_batch_size": 2,
        "warm_up_learning_rate": 1e-3,
        "gradient_checkpointing": False,
        "save_steps": 1,
        "format_samples": 4,
    }
    path.write_text(yaml.safe_dump(settings | values))
    return path

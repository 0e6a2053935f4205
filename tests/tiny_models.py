"""Tiny random models of four architectures; SRGen and SLOT by autograd over whole contexts to hold ours against."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from srgen import SRGenConfig
from srgen.methods.slot import Slot

VOCABULARY = 157
END = 156
COMMON = {
    "vocab_size": VOCABULARY,
    "eos_token_id": END,
    "bos_token_id": 1,
    "pad_token_id": 0,
    "initializer_range": 0.25,
}
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}

CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**COMMON, **SIZES, tie_word_embeddings=False),
    "qwen2": Qwen2Config(**COMMON, **SIZES, tie_word_embeddings=True),
    "gemma2": Gemma2Config(
        **COMMON, **SIZES, head_dim=8, sliding_window=16, final_logit_softcapping=4.0, query_pre_attn_scalar=8
    ),
    "gpt2": GPT2Config(**COMMON, n_embd=32, n_layer=2, n_head=4, n_positions=256),
}

PROMPTS = [[5, 9, 77, 31, 8], [3, 14, 15, 92, 65, 35, 89, 79, 32, 38, 46], [27, 18, 28], [141, 42, 135, 62, 37, 30, 95]]
NEVER = SRGenConfig(max_retries=0)
SRGEN = SRGenConfig(
    entropy_threshold=2.5,
    adaptive_entropy_N=4,
    adaptive_entropy_K=0.3,
    minimal_threshold=1.0,
    lr=0.1,
    reflection="exact",
)
"""SRGen that reflects now and then on these models."""


def tiny_model(name: str, seed: int = 0) -> Any:
    """A random model in evaluation mode, float32 on the CPU."""
    torch.manual_seed(seed)
    config = copy.deepcopy(CONFIGS[name])  # a model writes its attention into its own
    model = AutoModelForCausalLM.from_config(config).eval()
    # An end token among few tokens would cut most generations short.
    model.generation_config.do_sample = False
    return model


class ByteTokenizer:
    """As much of a tokenizer as the engine uses: token i is the character with code i."""

    eos_token_id = END
    chat_template = None

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(character) % VOCABULARY for character in text]}

    def decode(self, tokens: Any, **_: Any) -> str:
        return "".join(chr(token) for token in tokens if token != END)


@dataclass
class Reference:
    tokens: list[int]
    entropies: list[float]
    triggers: list[int]


def head(model: Any, hidden: Tensor) -> Tensor:
    logits = model.get_output_embeddings()(hidden)
    cap = getattr(model.config, "final_logit_softcapping", None)
    return cap * torch.tanh(logits / cap) if cap else logits


def reference_generate(model: Any, prompt: list[int], config: SRGenConfig, new_tokens: int) -> Reference:
    """Greedy SRGen, straight from the paper: no cache, autograd, the threshold from its formula."""
    result = Reference([], [], [])
    history: list[float] = []
    while len(result.tokens) < new_tokens:
        ids = torch.tensor([prompt + result.tokens])
        with torch.no_grad():
            hidden = model.get_decoder()(input_ids=ids).last_hidden_state[0]
        logits = head(model, hidden[-1]).detach()
        if result.tokens:
            probabilities = torch.softmax(logits.double(), -1)
            value = float(-(probabilities * probabilities.log()).sum())
            if value > _threshold(history, config) and len(result.triggers) < config.max_retries:
                result.triggers.append(len(result.tokens))
                logits = _autograd_reflection(model, hidden, ids[0], config)
            history.append(value)
        result.tokens.append(int(logits.argmax()))
        if result.tokens[-1] == END:
            break
    result.entropies = history
    return result


def _threshold(history: list[float], config: SRGenConfig) -> float:
    window = config.adaptive_entropy_N
    if not config.adaptive_entropy or len(history) < window:
        return config.entropy_threshold
    last = torch.tensor(history[-window:], dtype=torch.float64)
    spread = max(float(last.std(unbiased=True)), config.minimal_std)
    return max(float(last.mean()) + config.adaptive_entropy_K * spread, config.minimal_threshold)


def _autograd_reflection(model: Any, hidden: Tensor, ids: Tensor, config: SRGenConfig) -> Tensor:
    delta = torch.zeros(hidden.shape[1], requires_grad=True)
    optimizer = torch.optim.AdamW([delta], lr=config.lr, betas=(0.9, 0.999), eps=1e-5, weight_decay=1e-8)
    for _ in range(config.times):
        logits = head(model, hidden + delta)
        fidelity = torch.nn.functional.cross_entropy(logits[:-1], ids[1:])
        log_probabilities = torch.log_softmax(logits[-1], -1)
        uncertainty = -(log_probabilities.exp() * log_probabilities).sum()
        loss = (1 - config.entropy_weight) * fidelity + config.entropy_weight * uncertainty
        (delta.grad,) = torch.autograd.grad(loss, [delta])
        optimizer.step()
    return head(model, hidden[-1] + delta).detach()


def slot_delta(model: Any, prompt: list[int], slot: Slot) -> Tensor:
    """delta by autograd and torch's own AdamW, on the cross entropy of the prompt alone."""
    ids = torch.tensor([prompt])
    with torch.no_grad():
        hidden = model.get_decoder()(input_ids=ids).last_hidden_state[0]
    delta = torch.zeros(hidden.shape[1], requires_grad=True)
    optimizer = torch.optim.AdamW([delta], lr=slot.lr, betas=(0.9, 0.999), eps=1e-5, weight_decay=1e-8)
    for _ in range(slot.times):
        loss = torch.nn.functional.cross_entropy(head(model, hidden + delta)[:-1], ids[0, 1:])
        (delta.grad,) = torch.autograd.grad(loss, [delta])
        optimizer.step()
    return delta.detach()


class Shifted:
    """A model whose decoder adds delta to its last hidden states, for `reference_generate`."""

    def __init__(self, model: Any, delta: Tensor) -> None:
        self.config, self.get_output_embeddings = model.config, model.get_output_embeddings
        self._model, self._delta = model, delta

    def get_decoder(self) -> Any:
        def decode(**inputs: Any) -> Any:
            output = self._model.get_decoder()(**inputs)
            output.last_hidden_state = output.last_hidden_state + self._delta
            return output

        return decode

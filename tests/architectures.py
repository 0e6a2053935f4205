"""Tiny random models of every architecture that transformers lists as a causal language model, and how each is decoded.

`scripts/models_table.py` writes docs/models.md from `walk`; tests/test_architectures.py checks a part of the same list.
"""

from __future__ import annotations

import dataclasses
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tiny_models import ByteTokenizer
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, GenerationConfig, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from srgen import Request, Sampling, SRGenConfig, UnsupportedModelError
from srgen.engines.transformers.engine import TransformersEngine
from srgen.logits_processor import SRGenLogitsProcessor

ARCHITECTURES = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
VOCABULARY, END = 157, 156
NEW_TOKENS = 24
LARGEST = 40_000_000
"""Parameters of the largest model that is still built."""
OFTEN = SRGenConfig(
    adaptive_entropy_N=5, adaptive_entropy_K=0.2, minimal_std=0.05, minimal_threshold=0.2, entropy_threshold=2.5
)
CONFIGS = {mode: dataclasses.replace(OFTEN, reflection=mode, sketch_top=VOCABULARY) for mode in ("exact", "sketch")}

SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256,
    "eos_token_id": END, "bos_token_id": 1, "pad_token_id": 0, "initializer_range": 0.25, "is_decoder": True,
    "d_model": 32, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "ffn_dim": 48,
    "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 48,
    "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 48,
    "moe_intermediate_size": 16, "num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2,
    "n_routed_experts": 4, "n_shared_experts": 1, "shared_expert_intermediate_size": 16, "n_group": 1, "topk_group": 1,
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
    "sliding_window": 16, "tie_word_embeddings": False,
    "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_ssm": 64, "mamba_d_state": 8, "state_size": 8, "num_heads": 8,
    "n_groups": 1,
}  # fmt: skip
"""Settings that families share; those that a family does not know have no effect."""
_LINEAR = {
    "layer_types": ["linear_attention", "full_attention"], "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "linear_key_head_dim": 8, "linear_value_head_dim": 8,
}  # fmt: skip
_MLA = {"num_key_value_heads": 4, "index_head_dim": 8, "index_n_heads": 2, "index_topk": 16}
OWN: dict[str, dict[str, Any]] = {
    "axk1": _MLA,
    "axk2": _MLA,
    "deepseek_v2": _MLA,
    "deepseek_v3": _MLA,
    "deepseek_v32": _MLA,
    "glm4_moe_lite": _MLA,
    "glm_moe_dsa": _MLA,
    "longcat_flash": {
        **_MLA, "num_layers": 1, "ffn_hidden_size": 48, "expert_ffn_hidden_size": 16, "zero_expert_num": 2,
    },
    "codegen": {"rotary_dim": 8},
    "gptj": {"rotary_dim": 8},
    "electra": {"embedding_size": 32},
    "minicpm3": _MLA,
    "youtu": _MLA,
    "qwen4_exp_text": {
        **_LINEAR, "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 16,
        "indexer_compress_ratio": 2, "layer_types": ["linear_attention", "indexed_attention"],
    },
    "rembert": {"input_embedding_size": 32, "output_embedding_size": 32},
    "bamba": {"attn_layer_indices": [1]},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "gemma3n_text": {
        "layer_types": ["sliding_attention", "full_attention"], "num_kv_shared_layers": 0,
        "vocab_size_per_layer_input": VOCABULARY, "hidden_size_per_layer_input": 8,
    },
    "gemma4_text": {
        "vocab_size_per_layer_input": VOCABULARY, "hidden_size_per_layer_input": 8, "global_head_dim": 8,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2, "window_size": 16},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "kimi_linear": {
        **_MLA, "layer_types": ["linear_attention", "full_attention"], "linear_head_dim": 8, "linear_num_heads": 4,
    },
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "minimax": {"layer_types": ["linear_attention", "full_attention"]},
    "nemotron_h": {
        "layers_block_type": ["linear_attention", "moe", "full_attention", "mlp"], "num_hidden_layers": 4,
        "mamba_num_heads": 8, "mamba_head_dim": 8,
    },
    "olmo_hybrid": _LINEAR,
    "qwen3_5_text": _LINEAR,
    "qwen3_5_moe_text": _LINEAR,
    "qwen3_next": _LINEAR,
    "recurrent_gemma": {"block_types": ["recurrent", "attention"], "lru_width": 32, "attention_window_size": 16},
    "roc_bert": {
        "pronunciation_vocab_size": 20, "shape_vocab_size": 20, "enable_shape": False, "enable_pronunciation": False,
    },
    "rwkv": {"attention_hidden_size": 32, "context_length": 256},
    "zamba": {
        "num_hidden_layers": 3, "layers_block_type": ["linear_attention", "hybrid", "linear_attention"],
        "n_mamba_heads": 2, "attention_head_dim": 16,
    },
    "zamba2": {
        "num_hidden_layers": 3, "layers_block_type": ["linear_attention", "hybrid", "linear_attention"],
        "n_mamba_heads": 8, "mamba_headdim": 8,
    },
    "zaya": {"num_experts_per_tok": 1},
}  # fmt: skip
"""Settings that a family needs besides."""
WITHOUT = {
    "falcon": ("head_dim",),
    "gpt_neo": ("num_hidden_layers", "intermediate_size"),
    "prophetnet": ("num_hidden_layers",),
    "xlnet": ("max_position_embeddings",),
    "xlstm": ("v_head_dim",),
}
"""Settings that a family refuses."""
NOT_BUILT = {
    "blt": "its tokens are bytes that a second model groups, and its defaults nest too deeply for a tiny one",
    "gemma4_assistant": "it drafts for another model and has no forward pass of its own on text",
    "gemma4_unified_assistant": "it drafts for another model and has no forward pass of its own on text",
    "reformer": "its positions are factors of fixed lengths, and its attention is hashed at random",
}
"""Architectures that this list leaves out, and why."""
VISION = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "depth": 1,
    "num_heads": 4, "out_hidden_size": 32, "embed_dim": 32,
}  # fmt: skip


def tiny(architecture: str, seed: int = 0) -> Any:
    """A random model of an architecture, in evaluation mode; raises what transformers does where it is not built."""
    if architecture in NOT_BUILT:
        raise ValueError(NOT_BUILT[architecture])
    config = tiny_config(architecture)
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in AutoModelForCausalLM.from_config(config).parameters())
    if size > LARGEST:
        raise ValueError(f"it has {size / 1e6:.0f} million parameters with these settings")
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config).eval()
    # Without what some families add to their own generation (forced tokens, repetition penalties).
    model.generation_config = GenerationConfig(do_sample=False, pad_token_id=0)
    return model


def tiny_config(architecture: str) -> PreTrainedConfig:
    """A small configuration; of a composite one, its text part and the rest."""
    config_class = CONFIG_MAPPING[architecture]
    parts = getattr(config_class, "sub_configs", {})
    if "text_config" not in parts:
        return config_class(**_settings(architecture))
    given: dict[str, Any] = {}
    for name, part in parts.items():
        if name == "text_config":
            kind = getattr(part, "model_type", "") or config_class().text_config.model_type
            given[name] = {"model_type": kind, **_settings(kind)}
        elif name == "vision_config":
            given[name] = dict(VISION)
    return config_class(**given, tie_word_embeddings=False)


def _settings(architecture: str) -> dict[str, Any]:
    without = WITHOUT.get(architecture, ())
    config_class = CONFIG_MAPPING[architecture]
    known = {name for base in config_class.__mro__ for name in getattr(base, "__annotations__", {})}
    known |= set(config_class.attribute_map)
    shared = {name: value for name, value in SIZES.items() if name in known and name not in without}
    return shared | OWN.get(architecture, {})


@dataclass(frozen=True)
class Outcome:
    """What became of an architecture."""

    architecture: str
    manner: str
    """`batched`, `by rows`, `whole texts`, `refused` or `not built`."""
    layers: str = ""
    """The kinds of its cache's layers."""
    plain: bool | None = None
    """The engine's tokens are those of `model.generate`."""
    as_full_passes: bool = False
    """They are not, but they are the most likely ones of full passes over the whole text."""
    exact: bool | None = None
    """With SRGen, exactly: the tokens and reflections are those of SRGenLogitsProcessor."""
    sketch: bool | None = None
    """With SRGen, by the sketch."""
    distinct: int = 0
    """Different tokens in the reference's answers."""
    reflections: int = 0
    note: str = ""

    @property
    def holds(self) -> bool:
        """Nothing differs, and what does not run says so."""
        reflects = bool(self.exact and self.sketch) or (self.exact is None and bool(self.note))
        decodes = self.plain or self.as_full_passes
        return self.manner in ("refused", "not built") or bool(decodes and reflects)


MANNERS = {"BatchedPasses": "batched", "SeparatePasses": "by rows", "WholePasses": "whole texts"}


def prompts(count: int = 3, seed: int = 0) -> list[list[int]]:
    """Prompts of different lengths."""
    generator = random.Random(seed)
    return [[generator.randrange(2, END) for _ in range(3 + 7 * index)] for index in range(count)]


def check(architecture: str, seed: int = 0, device: str = "cpu") -> Outcome:
    """Build an architecture, decode with it, and compare."""
    try:
        model = tiny(architecture, seed).to(device)
    except Exception as error:
        return Outcome(architecture, "not built", note=_line(error))
    asked = prompts()
    try:
        engine = TransformersEngine(model, ByteTokenizer(), batch_size=3)
    except UnsupportedModelError as error:
        return Outcome(architecture, "refused", note=_line(error))
    passes = engine.loop()._passes
    plain = decode(engine, asked, None)
    note, ours = "", {}
    try:
        ours = {mode: decode(engine, asked, config) for mode, config in CONFIGS.items()}
    except UnsupportedModelError as error:
        note = _line(error)
    state = getattr(getattr(passes, "_cache", None), "state", None)
    layers = sorted({type(layer).__name__.removesuffix("InColumns") for layer in getattr(state, "layers", ())})
    engine.loop().close()
    try:
        expected = [generated(model, prompt) for prompt in asked]
    except Exception as error:
        return Outcome(architecture, "not built", note=f"model.generate itself fails: {_line(error)}")
    answers = [tokens for tokens, _ in plain]
    same = {
        mode: found == [reflected(model, prompt, CONFIGS[mode]) for prompt in asked] for mode, found in ours.items()
    }
    return Outcome(
        architecture,
        MANNERS[type(passes).__name__],
        layers=", ".join(layers),
        plain=answers == expected,
        as_full_passes=answers != expected and answers == [full_passes(model, prompt) for prompt in asked],
        exact=same.get("exact"),
        sketch=same.get("sketch"),
        distinct=len({token for tokens in expected for token in tokens}),
        reflections=sum(len(positions) for _, positions in ours.get("exact", ())),
        note=note,
    )


def decode(
    engine: TransformersEngine, asked: Sequence[Sequence[int]], config: SRGenConfig | None
) -> list[tuple[list[int], list[int]]]:
    """The engine's answers, all prompts in one batch: tokens and the positions of reflections."""
    sampling = Sampling(do_sample=False, max_new_tokens=NEW_TOKENS)
    requests = [
        Request(id=str(i), prompt=tuple(prompt), sampling=sampling, seed=i, srgen=config, ignore_eos=True)
        for i, prompt in enumerate(asked)
    ]
    found = {completion.id: completion for completion in engine.generate(requests)}
    return [
        (list(found[r.id].token_ids), [reflection.position for reflection in found[r.id].reflections]) for r in requests
    ]


def generated(model: Any, prompt: Sequence[int], processors: Sequence[Any] = ()) -> list[int]:
    """`model.generate` of one prompt alone, so that no padding is involved."""
    ids = torch.tensor([list(prompt)], device=model.device)
    output = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, logits_processor=list(processors)
    )
    return [int(token) for token in output[0, len(prompt) :]]


@torch.inference_mode()
def full_passes(model: Any, prompt: Sequence[int]) -> list[int]:
    """Greedy tokens by a pass over the whole text for each."""
    text = list(prompt)
    for _ in range(NEW_TOKENS):
        ids = torch.tensor([text], device=model.device)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
        text.append(int(logits[0, -1].argmax()))
    return text[len(prompt) :]


def reflected(model: Any, prompt: Sequence[int], config: SRGenConfig) -> tuple[list[int], list[int]]:
    """`model.generate` with SRGenLogitsProcessor: tokens and the positions of reflections."""
    processor = SRGenLogitsProcessor(model, config)
    tokens = generated(model, prompt, [processor])
    return tokens, [reflection.position for reflection in processor.records[0].reflections]


def walk(architectures: Sequence[str] = ARCHITECTURES) -> list[Outcome]:
    """The outcome of every architecture; what the checks themselves raise is an outcome too."""
    logging.getLogger("srgen").setLevel(logging.ERROR)
    found = []
    for architecture in architectures:
        try:
            found.append(check(architecture))
        except Exception as error:
            found.append(Outcome(architecture, "failed", note=_line(error)))
        print(found[-1], flush=True)
    return found


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]

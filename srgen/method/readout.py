"""The LM head as what the method needs of it: c * tanh(s * (W h + b) / c), with s = 1 and no cap for most models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from srgen.errors import UnsupportedModelError
from srgen.method.products import by_columns, by_rows

SCALE_FIELDS = ("logit_scale", "lm_head_multiplier")
DIVISOR_FIELDS = ("logits_scaling", "logits_mup_width_multiplier")
CAP_FIELD = "final_logit_softcapping"


@dataclass(frozen=True, slots=True)
class Readout:
    """LM head of a model; V vocabulary size, d hidden size, R rows."""

    weight: Tensor
    """W, (V, d): float32 on CPU, the model's dtype elsewhere."""
    bias: Tensor | None = None
    """(V,), or None."""
    scale: float = 1.0
    cap: float | None = None
    """Soft cap c of the logits, or None."""
    head: Callable[[Tensor], Tensor] | None = None
    """The model's own way to W h + b, hidden states (R, d) in the dtype of `weight` -> (R, V); None for a plain one."""

    @property
    def vocabulary(self) -> int:
        """V, also where W is sharded."""
        return self.weight.shape[0]

    @property
    def hidden(self) -> int:
        """Size d of a hidden state."""
        return self.weight.shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """In what the method computes: float32, or float64 where W is."""
        return torch.float64 if self.weight.dtype == torch.float64 else torch.float32

    @property
    def device(self) -> torch.device:
        """Where W lies, and everything that is computed with it."""
        return self.weight.device

    @torch.no_grad()
    def logits(self, hidden: Tensor) -> Tensor:
        """Logits rows of hidden states (R, d), as the model computes them: (R, V)."""
        states = hidden.to(self.weight)
        raw = nn.functional.linear(states, self.weight, self.bias) if self.head is None else self.head(states)
        raw = raw.to(self.dtype)
        raw = raw if self.scale == 1.0 else raw * self.scale
        return raw if self.cap is None else self.cap * torch.tanh(raw / self.cap)

    def moved_logits(self, hidden: Tensor, shift: Tensor) -> tuple[Tensor, Tensor | None]:
        """`move` of the logits rows of hidden states (R, d) by one shift (V,)."""
        if self.head is None and self.cap is None and self.scale == 1.0 and self.weight.dtype == self.dtype:
            # The shift is then no more than another bias.
            return nn.functional.linear(hidden, self.weight, shift if self.bias is None else self.bias + shift), None
        return self.move(self.logits(hidden), shift)

    def shift(self, delta: Tensor) -> Tensor:
        """What corrections (R, d) add to the logits before the cap: s * W delta, (R, V)."""
        return self.scale * by_columns(delta, self.weight)

    def pull_back(self, gradient: Tensor) -> Tensor:
        """Gradients by the corrections, (R, d), from those by their shifts (R, V)."""
        return self.scale * by_rows(gradient, self.weight)

    def rows(self, ids: Tensor) -> Tensor:
        """Rows s * W of some tokens (k,), in what the method computes: (k, d)."""
        rows = self.weight.index_select(0, ids).to(self.dtype)
        return rows if self.scale == 1.0 else rows * self.scale

    def move(self, logits: Tensor, shift: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits after a shift before the cap, and their derivative by it (None for 1), both shaped like `logits`.

        With a cap, from the addition theorem of tanh: no inverse of the cap is taken.
        """
        if self.cap is None:
            return logits + shift, None
        # A logit of -inf (a forbidden token) must stay so, and a saturated one must not give 0 / 0.
        ratio = (logits / self.cap).clamp(-1.0, 1.0)
        largest = 1.0 - 4 * torch.finfo(shift.dtype).eps
        step = torch.tanh(shift / self.cap).clamp(-largest, largest)
        moved = (ratio + step) / (1.0 + ratio * step)
        return torch.where(logits.isinf(), logits, self.cap * moved), 1.0 - moved**2


def readout_of(model: Any) -> Readout:
    """The head of a transformers decoder-only model, checked against the model's own logits.

    Raises UnsupportedModelError where the head is not linear with an optional scale and soft cap.
    """
    head = model.get_output_embeddings()
    if not isinstance(getattr(head, "weight", None), Tensor) or head.weight.ndim != 2:
        raise UnsupportedModelError(f"{type(model).__name__} has no linear LM head; SRGen needs its weight matrix")
    weight = head.weight.detach()
    if weight.is_meta:
        raise UnsupportedModelError("the LM head is offloaded; SRGen needs its weight on a device")
    bias = getattr(head, "bias", None)
    bias = bias.detach() if isinstance(bias, Tensor) else None
    if weight.device.type == "cpu":
        # CPUs have no product of half-precision matrices that accumulates in float32: convert once.
        weight, bias = weight.float(), None if bias is None else bias.float()
    hidden, expected = _probe(model, weight.device)
    if hidden.shape[1] != weight.shape[1]:
        raise UnsupportedModelError(
            f"the LM head of {type(model).__name__} takes {weight.shape[1]} numbers, and its decoder gives "
            f"{hidden.shape[1]}; SRGen cannot correct its logits"
        )
    config = model.config.get_text_config()
    for scale, cap in _candidates(config):
        readout = Readout(weight, bias, scale, cap)
        if logits_agree(readout.logits(hidden), expected, head.weight.dtype):
            plain = type(head) is nn.Linear or weight.dtype != head.weight.dtype
            return readout if plain else replace(readout, head=head)
    raise UnsupportedModelError(
        f"the logits of {type(model).__name__} are not those of a linear head with a known scale or soft cap; "
        "SRGen cannot correct them"
    )


def decoder_of(model: Any) -> nn.Module:
    """The module whose first output is the last hidden state (after the final norm) of every position."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model.base_model
    embeddings = model.get_input_embeddings()
    if decoder is model or isinstance(decoder, nn.Linear):
        # Some models do not say, or call their head so; their decoder is the part that holds the token embeddings.
        decoder = next(
            (part for part in model.children() if embeddings in part.modules() and part is not embeddings), None
        )
    if not isinstance(decoder, nn.Module):
        raise UnsupportedModelError(f"{type(model).__name__} does not tell its decoder from its LM head")
    return decoder


def last_hidden_state(output: Any) -> Tensor:
    """The last hidden states (B, T, d) in what a decoder module returned."""
    state = output[0] if isinstance(output, tuple) else output.last_hidden_state
    if not isinstance(state, Tensor):
        raise UnsupportedModelError("the model's decoder does not return its last hidden state")
    return state


@torch.inference_mode()
def _probe(model: Any, device: torch.device) -> tuple[Tensor, Tensor]:
    """Hidden states (n, d) and the model's logits (n, V) for a few arbitrary tokens."""
    vocabulary = model.config.get_text_config().vocab_size
    tokens = torch.arange(8, device=model.device).reshape(1, -1) * 7919 % vocabulary
    captured: list[Tensor] = []
    handle = decoder_of(model).register_forward_hook(lambda _m, _a, output: captured.append(last_hidden_state(output)))
    try:
        logits = model(input_ids=tokens, use_cache=False).logits
    finally:
        handle.remove()
    if not captured:
        raise UnsupportedModelError(f"{type(model).__name__} does not run its decoder as a module")
    return captured[0][0].to(device), logits[0].to(device).float()


def _candidates(config: Any) -> list[tuple[float, float | None]]:
    scales = [1.0]
    scales += [float(value) for name in SCALE_FIELDS if (value := getattr(config, name, None))]
    scales += [1.0 / float(value) for name in DIVISOR_FIELDS if (value := getattr(config, name, None))]
    cap = getattr(config, CAP_FIELD, None)
    caps = [None, float(cap)] if cap else [None]
    return [(scale, cap) for cap in reversed(caps) for scale in reversed(scales)]


def logits_agree(ours: Tensor, expected: Tensor, dtype: torch.dtype) -> bool:
    """Whether a readout gives the model's logits (n, V), within what a product in `dtype` rounds."""
    if ours.shape != expected.shape:
        return False
    tolerance = 1e-3 if dtype == torch.float32 else 3e-2
    return bool((ours - expected).abs().max() <= tolerance * expected.abs().max().clamp_min(1.0))

"""One forward pass of a model: the newest logits, the last hidden states, and what its layers keep."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from srgen.errors import UnsupportedModelError
from srgen.method.readout import decoder_of, last_hidden_state

STATE_NAMES = ("cache", "past_key_values", "cache_params", "state")
"""Names under which transformers' models return, and take, what layers keep (`cache` from transformers 5.24 on)."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a forward pass over n rows of T tokens gave."""

    logits: Tensor
    """The newest position's logits (n, V), float32."""
    hidden: Tensor
    """Every position's last hidden state (n, T, d)."""
    output: Any
    """The model's own output."""


class Forward:
    """Runs a model and watches its decoder. Raises UnsupportedModelError where the decoder gives no hidden states."""

    def __init__(self, model: Any) -> None:
        self.model = model
        parameters = inspect.signature(model.forward).parameters
        self._names = set(parameters)
        self._takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        self._hidden: Tensor | None = None
        self._hook = decoder_of(model).register_forward_hook(self._keep_hidden)

    @property
    def device(self) -> Any:
        """Where token ids belong."""
        return self.model.device

    def takes(self, name: str) -> bool:
        """Whether the model's forward pass names an argument."""
        return name in self._names

    def __call__(self, **inputs: Any) -> Pass:
        """Run the model; arguments that it does not take are left out."""
        if self.takes("logits_to_keep"):
            inputs["logits_to_keep"] = 1
        output, hidden = self._run(inputs)
        return Pass(output.logits[:, -1].float(), hidden, output)

    def all_positions(self, texts: list[list[int]]) -> tuple[Tensor, Tensor]:
        """Logits (n, T, V), float32, and hidden states (n, T, d) of texts of one length, nothing being kept."""
        ids = torch.tensor(texts, device=self.device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}
        output, hidden = self._run(inputs)
        return output.logits.float(), hidden

    def state(self, output: Any) -> tuple[str, Any]:
        """What the layers keep after a pass, and the name of the argument that takes it."""
        for name in STATE_NAMES:
            value = getattr(output, name, None)
            if value is not None and self.takes(name):
                return name, value
        raise UnsupportedModelError(f"{type(self.model).__name__} returns no cache of its prompt")

    def close(self) -> None:
        """Let go of the model."""
        self._hook.remove()

    def _run(self, inputs: dict[str, Any]) -> tuple[Any, Tensor]:
        taken = {name: value for name, value in inputs.items() if self._takes_any or self.takes(name)}
        output = self.model(**taken)
        hidden, self._hidden = self._hidden, None
        if hidden is None:
            raise UnsupportedModelError(f"{type(self.model).__name__} does not run its decoder as a module")
        return output, hidden

    def _keep_hidden(self, _module: Any, _arguments: Any, output: Any) -> None:
        self._hidden = last_hidden_state(output)

"""Linear layers whose weights are laid out for oneDNN once, for float32 models on a CPU.

torch hands float32 products to a BLAS that lays the weights out anew at every call, which for the few rows of a
decoding step costs as much as the product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

EXPECTED_ROWS = 8
"""Rows that the layout is chosen for; any other number works too."""


class PackedLinear(nn.Module):
    """`linear`, a float32 layer on a CPU, for inference only. The original weight is kept only if `keep_weight`."""

    def __init__(self, linear: nn.Linear, keep_weight: bool) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), EXPECTED_ROWS)
        self.bias = linear.bias
        self._kept = linear.weight if keep_weight else None

    @property
    def weight(self) -> Tensor:
        """(out_features, in_features), for a model that multiplies by it itself; made anew where it is not kept."""
        if self._kept is not None:
            return self._kept
        weight: Tensor = self._packed.to_dense()
        return weight

    def forward(self, states: Tensor) -> Tensor:
        """states (..., in_features) -> (..., out_features)."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(states, self._packed, self.bias, "none", [], "")
        return product


def pack_linears(model: Any) -> None:
    """Replace the linear layers of a model on a CPU in place, where they are float32 and oneDNN is there."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    head = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear and child.weight.device.type == "cpu" and child.weight.dtype == torch.float32:
                # SRGen reads the head's weight itself.
                setattr(parent, name, PackedLinear(child, keep_weight=child is head))

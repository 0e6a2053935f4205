"""SLOT (arXiv 2505.12392): a correction of the hidden state, fitted to the prompt alone, for all rows of a sample.

delta (d,) starts at 0 and takes `times` AdamW steps (betas 0.9 and 0.999, eps 1e-5, weight decay 1e-8) on the mean
cross entropy of the prompt's own next tokens under W (h + delta). Then W delta is added to every logits row of the
sample, the one that gives its first token included. Each sample has its own delta; the released vLLM version shares one
among the requests of a batch, so that its tokens depend on a request's neighbours.

Combined with SRGen, the shift comes first: SRGen monitors and corrects shifted rows, and its context holds the shifted
rows of the prompt and of the generated tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from srgen.errors import ConfigError
from srgen.methods.contract import Effect, Head, Method, Prompt, parameter

KEPT_LOGITS = 1 << 27
"""Most logits of prompts that are held at a time (512 MiB); what is longer is computed anew at every step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot(Method):
    """SLOT's parameters; the defaults are its paper's (its maintainer uses times 1 on AIME)."""

    name: ClassVar[str] = "slot"
    title: ClassVar[str] = "SLOT"

    times: int = parameter(5, "steps", "AdamW steps on the prompt.")
    lr: float = parameter(0.1, "number", "AdamW learning rate.")

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ConfigError(f"slot_times must be at least 1 step, not {self.times}; to switch SLOT off, leave it out")
        if not 0 < self.lr < math.inf:
            raise ConfigError(f"slot_lr must be positive, not {self.lr}")

    def begin(self, head: Head, prompts: Sequence[Prompt]) -> list[Effect]:
        """See Method.begin; a prompt of one token predicts nothing and gives no delta."""
        effects = {index: Effect() for index in range(len(prompts))}
        for group in _groups(prompts, head.vocabulary):
            effects |= zip(group, self._fit(head, [prompts[index] for index in group]), strict=True)
        return [effects[index] for index in range(len(prompts))]

    def _fit(self, head: Head, prompts: Sequence[Prompt]) -> list[Effect]:
        """One delta for each prompt; a step reads W twice for all of them together."""
        import torch  # not needed by a command line

        from srgen.method.prompt_loss import PromptLoss
        from srgen.method.reflection import AdamW

        losses = [PromptLoss(head, prompt.hidden[:-1], prompt.tokens[1:], KEPT_LOGITS) for prompt in prompts]
        delta = torch.zeros(len(prompts), head.hidden, device=losses[0].device)
        shift = torch.zeros(len(prompts), head.vocabulary, device=losses[0].device)
        optimizer = AdamW(delta, self.lr)
        first = None
        for step in range(self.times):
            if step:
                shift = head.shift(delta)
            values, gradients = zip(*(loss(row) for loss, row in zip(losses, shift, strict=True)), strict=True)
            first = first or values
            optimizer.step(head.pull_back(torch.stack(gradients)))
        table = torch.stack([torch.stack(first or ()), delta.norm(dim=1)], dim=1).tolist()
        return [Effect(row, {"loss": loss, "delta_norm": norm}) for row, (loss, norm) in zip(delta, table, strict=True)]


def _groups(prompts: Sequence[Prompt], vocabulary: int) -> Iterator[list[int]]:
    """Prompts that have something to predict, in groups whose logits may be held together."""
    group: list[int] = []
    held = 0
    for index, prompt in enumerate(prompts):
        size = (len(prompt.tokens) - 1) * vocabulary
        if not size:
            continue
        if group and held + size > KEPT_LOGITS:
            yield group
            group, held = [], 0
        group.append(index)
        held += size
    if group:
        yield group

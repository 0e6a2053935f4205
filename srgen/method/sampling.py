"""Drawing tokens: each sample has its own noise, a function of (seed, step, token) and of nothing else.

The argmax of log p + Gumbel noise is a draw from p. The noise is counter based: it depends neither on the batch nor on
the device, is computed only for tokens that can be drawn, and is the same for a base and an SRGen run of a sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from srgen.config import Sampling
from srgen.method.rows import Top

CANDIDATES = 256
"""Largest logits among which a nucleus is looked for first."""

_GOLDEN = -7046029254386353131
_MIX_1 = -4658895280553007687
_MIX_2 = -7723592293110705685


def _mix(value: Tensor) -> Tensor:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014) on int64, whose products wrap."""
    value = (value ^ ((value >> 30) & 0x3FFFFFFFF)) * _MIX_1
    value = (value ^ ((value >> 27) & 0x1FFFFFFFFF)) * _MIX_2
    return value ^ ((value >> 31) & 0x1FFFFFFFF)


def gumbel(seeds: Tensor, step: Tensor, ids: Tensor) -> Tensor:
    """Standard Gumbel noise, float64, shaped like ids (B, n); seeds and step (B,) int64: one stream per row."""
    stream = _mix(_mix(seeds) + step * _GOLDEN)[:, None]
    bits = _mix(stream + (ids + 1) * _GOLDEN)
    uniform = (((bits >> 11) & 0x1FFFFFFFFFFFFF).double() + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform))


@dataclass(frozen=True, slots=True)
class Sampler:
    """Sampling parameters of a batch of B rows, on the device."""

    temperature: Tensor
    """(B, 1); 1 for greedy rows."""
    top_p: Tensor
    """(B, 1); 1 keeps every token."""
    top_k: Tensor
    """(B, 1); V keeps every token."""
    seeds: Tensor
    """(B,) int64."""
    greedy: Tensor
    """(B,) bool."""
    tempered: bool
    """Some row's temperature is not 1."""
    samples: bool
    """Some row samples."""
    any_restricted: bool
    """Some sampled row has a nucleus or a top-k."""
    all_restricted: bool
    """Every sampled row has one, so that the candidates usually suffice."""

    @classmethod
    def build(cls, settings: list[Sampling], seeds: list[int], vocabulary: int, device: torch.device) -> Sampler:
        """Tensors for the given rows."""

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, device=device)[:, None]

        restricted = [s.top_p < 1 or s.top_k > 0 for s in settings if s.do_sample]
        return cls(
            temperature=column([s.entropy_temperature for s in settings]),
            top_p=column([s.top_p if s.do_sample else 1.0 for s in settings]),
            top_k=torch.tensor([s.top_k or vocabulary for s in settings], device=device)[:, None],
            seeds=torch.tensor(seeds, dtype=torch.int64, device=device),
            greedy=torch.tensor([not s.do_sample for s in settings], device=device),
            tempered=any(s.entropy_temperature != 1.0 for s in settings),
            samples=bool(restricted),
            any_restricted=any(restricted),
            all_restricted=all(restricted),
        )

    def rows(self, index: Tensor) -> Sampler:
        """The sampler of some of the rows."""
        return replace(
            self,
            temperature=self.temperature[index],
            top_p=self.top_p[index],
            top_k=self.top_k[index],
            seeds=self.seeds[index],
            greedy=self.greedy[index],
        )

    def draw(
        self, logits: Tensor, step: Tensor, top: Top | None, probabilities: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B,) drawn from logits (B, V) at each row's step (B,), and whether each is final (B,).

        `probabilities` (B, V) are those at the rows' temperatures, where already known.
        A row is not final where the candidates in `top` do not hold its whole nucleus: `draw_all` must decide it.
        """
        best = logits.argmax(dim=-1) if top is None else top.argmax
        if not self.samples:
            return best, torch.ones_like(self.greedy)
        if top is None or not self.all_restricted:
            return self.draw_all(logits, step), torch.ones_like(self.greedy)
        if probabilities is None:
            probabilities = torch.softmax(logits / self.temperature, dim=-1)
        mass = probabilities.gather(1, top.ids)
        reached = mass.cumsum(-1)
        enough = (reached[:, -1:] >= self.top_p) | (self.top_k <= top.ids.shape[1])
        chosen = self._pick(top.values / self.temperature, top.ids, reached - mass, step)
        return torch.where(self.greedy, best, chosen), enough[:, 0] | self.greedy

    def draw_all(self, logits: Tensor, step: Tensor) -> Tensor:
        """Tokens (B,) drawn from the whole vocabulary, whatever the nucleus."""
        scaled = logits / self.temperature
        if self.any_restricted:
            scaled, ids = torch.sort(scaled, dim=-1, descending=True, stable=True)
            mass = torch.softmax(scaled, dim=-1)
            before = mass.cumsum(-1) - mass
        else:
            ids = torch.arange(logits.shape[1], device=logits.device).expand_as(logits)
            before = torch.zeros_like(scaled)
        chosen = self._pick(scaled, ids, before, step)
        return torch.where(self.greedy, logits.argmax(dim=-1), chosen)

    def _pick(self, scaled: Tensor, ids: Tensor, before: Tensor, step: Tensor) -> Tensor:
        rank = torch.arange(ids.shape[1], device=ids.device)
        # As in transformers and vLLM, the nucleus is taken of what top-k leaves.
        cut = before.gather(1, self.top_k.clamp_max(ids.shape[1] - 1))
        kept = torch.where(self.top_k < ids.shape[1], cut, 1.0)
        allowed = (before < self.top_p * kept) & (rank < self.top_k)
        noisy = (scaled.double() + gumbel(self.seeds, step, ids)).masked_fill(~allowed, -torch.inf)
        return ids.gather(1, noisy.argmax(dim=-1, keepdim=True))[:, 0]

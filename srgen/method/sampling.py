"""Drawing tokens: each sample has its own noise, a function of (seed, step, token) and of nothing else.

The argmax of log p + Gumbel noise is a draw from p. The noise is counter based: it depends neither on the batch nor on
the device, is computed only for tokens that can be drawn, and is the same for a base and an SRGen run of a sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from srgen.config import Sampling
from srgen.method.rows import Top, likeliest

CANDIDATES = 256
"""Largest logits among which a nucleus is looked for first."""
TOP_H_TOKENS = 100
"""Tokens that top-H looks at, as in its authors' code."""

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
    min_p: Tensor
    """(B, 1); 0 keeps every token."""
    top_h: Tensor
    """(B, 1); 0 keeps every token."""
    seeds: Tensor
    """(B,) int64."""
    greedy: Tensor
    """(B,) bool."""
    tempered: bool
    """Some row's temperature is not 1."""
    samples: bool
    """Some row samples."""
    any_restricted: bool
    """Some sampled row does not draw from the whole vocabulary."""
    all_restricted: bool
    """No sampled row does, so that the candidates usually suffice."""
    any_min_p: bool
    """Some sampled row has a min_p."""
    any_top_h: bool
    """Some sampled row has a top_h."""

    @classmethod
    def build(cls, settings: list[Sampling], seeds: list[int], vocabulary: int, device: torch.device) -> Sampler:
        """Tensors for the given rows."""

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, device=device)[:, None]

        restricted = [s.top_p < 1 or s.top_k > 0 or s.min_p > 0 or s.top_h > 0 for s in settings if s.do_sample]
        return cls(
            temperature=column([s.entropy_temperature for s in settings]),
            top_p=column([s.top_p if s.do_sample else 1.0 for s in settings]),
            top_k=torch.tensor([s.top_k or vocabulary for s in settings], device=device)[:, None],
            min_p=column([s.min_p for s in settings]),
            top_h=column([s.top_h for s in settings]),
            seeds=torch.tensor(seeds, dtype=torch.int64, device=device),
            greedy=torch.tensor([not s.do_sample for s in settings], device=device),
            tempered=any(s.entropy_temperature != 1.0 for s in settings),
            samples=bool(restricted),
            any_restricted=any(restricted),
            all_restricted=all(restricted),
            any_min_p=any(s.min_p > 0 for s in settings if s.do_sample),
            any_top_h=any(s.top_h > 0 for s in settings if s.do_sample),
        )

    def rows(self, index: Tensor) -> Sampler:
        """The sampler of some of the rows."""
        return replace(
            self,
            temperature=self.temperature[index],
            top_p=self.top_p[index],
            top_k=self.top_k[index],
            min_p=self.min_p[index],
            top_h=self.top_h[index],
            seeds=self.seeds[index],
            greedy=self.greedy[index],
        )

    def draw(
        self,
        logits: Tensor,
        step: Tensor,
        top: Top | None,
        probabilities: Tensor | None = None,
        peaks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Tokens (B,) drawn from logits (B, V) at each row's step (B,), and whether each is final (B,).

        `probabilities` (B, V) are those at the rows' temperatures, and `peaks` the logits', where already known.
        A row is not final where the candidates in `top` do not hold its whole nucleus: `draw_all` must decide it.
        """
        best = likeliest(logits, peaks) if top is None else top.argmax
        if not self.samples:
            return best, torch.ones_like(self.greedy)
        if top is None or not self.all_restricted:
            return self.draw_all(logits, step), torch.ones_like(self.greedy)
        if probabilities is None:
            probabilities = torch.softmax(logits / self.temperature, dim=-1)
        mass = probabilities.gather(1, top.ids)
        allowed, enough = self._allowed(mass, logits.shape[1])
        chosen = self._pick(top.values / self.temperature, top.ids, allowed, step)
        return torch.where(self.greedy, best, chosen), enough | self.greedy

    def draw_all(self, logits: Tensor, step: Tensor) -> Tensor:
        """Tokens (B,) drawn from the whole vocabulary, whatever the nucleus."""
        scaled = logits / self.temperature
        allowed = None
        if self.any_restricted:
            scaled, ids = torch.sort(scaled, dim=-1, descending=True, stable=True)
            allowed, _ = self._allowed(torch.softmax(scaled, dim=-1), logits.shape[1])
        else:
            ids = torch.arange(logits.shape[1], device=logits.device).expand_as(logits)
        chosen = self._pick(scaled, ids, allowed, step)
        return torch.where(self.greedy, logits.argmax(dim=-1), chosen)

    def _allowed(self, mass: Tensor, vocabulary: int) -> tuple[Tensor, Tensor]:
        """Of the n likeliest tokens' probabilities (B, n), best first: which may be drawn, (B, n), and whether no token
        beyond them may be, (B,).

        As in vLLM, the nucleus is taken of what the other limits leave.
        """
        count = mass.shape[1]
        limit = self.top_k
        if self.any_min_p:
            limit = torch.minimum(limit, self._above_min_p(mass))
        if self.any_top_h:
            limit = torch.minimum(limit, self._within_top_h(mass))
        limited = (limit < count) | (self.top_k <= count)
        reached = mass.cumsum(-1)
        left = torch.where(limited, reached.gather(1, limit.clamp_max(count) - 1), 1.0)
        rank = torch.arange(count, device=mass.device)
        allowed = (reached - mass < self.top_p * left) & (rank < limit)
        nucleus_alone = (self.top_k >= vocabulary) & (self.min_p == 0) & (self.top_h == 0)
        return allowed, (limited | (nucleus_alone & (reached[:, -1:] >= self.top_p)))[:, 0]

    def _above_min_p(self, mass: Tensor) -> Tensor:
        """How many tokens have min_p times the likeliest one's probability, (B, 1) (arXiv 2407.01082)."""
        # Of a row that is no numbers, one is left, as of any other.
        return (mass >= self.min_p * mass[:, :1]).sum(1, keepdim=True).clamp_min(1)

    def _within_top_h(self, mass: Tensor) -> Tensor:
        """How many tokens hold the share top_h of the entropy of the 100 likeliest, (B, 1) (arXiv 2509.02510)."""
        likeliest = mass[:, :TOP_H_TOKENS]
        likeliest = likeliest / likeliest.sum(1, keepdim=True)
        terms = -torch.special.xlogy(likeliest, likeliest)
        within = terms.cumsum(1) <= self.top_h * terms.sum(1, keepdim=True)
        count = within.sum(1, keepdim=True).clamp_min(1)
        return torch.where(self.top_h > 0, count, mass.shape[1])

    def _pick(self, scaled: Tensor, ids: Tensor, allowed: Tensor | None, step: Tensor) -> Tensor:
        noisy = scaled.double() + gumbel(self.seeds, step, ids)
        if allowed is not None:
            noisy = noisy.masked_fill(~allowed, -torch.inf)
        return ids.gather(1, noisy.argmax(dim=-1, keepdim=True))[:, 0]

"""From a step's logits to its tokens: entropies, sampling, and SRGen in between."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from srgen.engines.base import Request, TokenLogprobs
from srgen.method.entropy import softmax
from srgen.method.processor import SRGenProcessor
from srgen.method.rows import Rows, Top, highest, largest, peaks_of
from srgen.method.sampling import CANDIDATES, Sampler
from srgen.method.signals import signals
from srgen.methods.contract import Steer


@dataclass(slots=True, eq=False)
class Row:
    """A request in flight."""

    request: Request
    prompt: list[int]
    limit: int
    """Tokens that may be generated."""
    tokens: list[int] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    steering: Steer | None = None
    """Where tokens may be others than those drawn."""
    error: str | None = None
    """Why the row cannot go on."""
    signals: list[Tensor] = field(default_factory=list)
    """(4,) float16 of each token, on the device."""
    started: float = field(default_factory=time.monotonic)

    @property
    def forces(self) -> bool:
        """Whether the next token is known, whatever is drawn."""
        return self.steering is not None and self.steering.forces


@dataclass(frozen=True, slots=True)
class Drawn:
    """A step of n rows whose tokens are drawn, and not yet theirs: a reflection may change them."""

    rows: list[Row]
    known: Rows
    """Logits in float32, and hidden states; a reflection may overwrite the probabilities."""
    sampler: Sampler
    tokens: list[int]
    """(n,)."""
    entropies: list[float]
    """(n,) in nats; NaN where nobody wants them."""

    @property
    def logits(self) -> Tensor:
        """(n, V), without any correction."""
        assert self.known.logits is not None
        return self.known.logits

    def pick(self, index: list[int]) -> Drawn:
        """Some of the rows, copied."""
        picked = torch.tensor(index, dtype=torch.int64, device=self.logits.device)
        return Drawn(
            [self.rows[i] for i in index],
            self.known.pick(picked),
            self.sampler.rows(picked),
            [self.tokens[i] for i in index],
            [self.entropies[i] for i in index],
        )

    def redraw(self, rows: list[int], corrected: Tensor | None = None) -> None:
        """Draw the tokens of some rows again over the whole vocabulary, from `corrected` (r, V) where given."""
        if not rows:
            return
        picked = torch.tensor(rows, device=self.logits.device)
        logits = self.logits[picked] if corrected is None else corrected
        found = self.sampler.rows(picked).draw_all(logits, _steps(self.rows, logits.device)[picked])
        for row, token in zip(rows, found.tolist(), strict=True):
            self.tokens[row] = token


def joined(parts: list[Drawn], sampler: Sampler) -> Drawn:
    """Several steps as one of all their rows."""
    hidden = [part.known.hidden for part in parts if part.known.hidden is not None]
    return Drawn(
        [row for part in parts for row in part.rows],
        Rows(torch.cat(hidden), torch.cat([part.logits for part in parts])),
        sampler,
        [token for part in parts for token in part.tokens],
        [value for part in parts for value in part.entropies],
    )


def draw(
    rows: list[Row], logits: Tensor, hidden: Tensor, sampler: Sampler, processor: SRGenProcessor | None
) -> tuple[Drawn, list[int]]:
    """Draw each row's next token; the rows that triggered.

    Everything is fetched from the device in one transfer; a row that needs its whole vocabulary sorted is drawn again,
    with the same noise.
    """
    monitored = any(row.request.srgen is not None or row.request.record_entropy for row in rows)
    peaks = peaks_of(logits)
    top = _top(rows, logits, sampler, peaks)
    probabilities = None
    columns = []
    if monitored:
        temperature = sampler.temperature if sampler.tempered else 1.0
        out = None if processor is None or sampler.tempered else processor.room(rows)
        probabilities, entropies = softmax(logits, temperature, peaks=peaks, out=out)
        columns.append(entropies.double())
    steps = _steps(rows, logits.device)
    columns += [column.double() for column in sampler.draw(logits, steps, top, probabilities, peaks)]
    columns.append(highest(logits, top, peaks).isfinite().double())
    *rest, found, decided, finite = torch.stack(columns).tolist()
    values = rest[0] if rest else [math.nan] * len(rows)
    tokens = [int(token) if is_finite else 0 for token, is_finite in zip(found, finite, strict=True)]
    _mark_broken(rows, finite)
    untempered = None if sampler.tempered else probabilities
    drawn = Drawn(rows, Rows(hidden, logits, top, untempered, peaks), sampler, tokens, values)
    drawn.redraw([i for i, is_final in enumerate(decided) if not is_final and finite[i]])
    hits = [] if processor is None else processor.triggered(rows, values)
    return drawn, [i for i in hits if not rows[i].forces]


def settle(drawn: Drawn, triggered: list[int], processor: SRGenProcessor | None) -> None:
    """Append each row's token; those that triggered reflect together, and are drawn again with the same noise."""
    rows, known, logits, top = drawn.rows, drawn.known, drawn.logits, drawn.known.top
    if processor is not None and triggered:
        corrected = processor.reflect([rows[i] for i in triggered], logits[triggered])
        drawn.redraw(triggered, corrected)
        known = known._replace(probabilities=None)
    tokens = zip(rows, drawn.tokens, strict=True)
    chosen = [row.steering.token(token) if row.steering else token for row, token in tokens]
    if processor is not None:
        processor.commit(rows, chosen, known)
        if triggered:
            logits[torch.tensor(triggered, device=logits.device)] = corrected
            top = None
    _keep_logprobs(rows, chosen, logits)
    _keep_signals(rows, chosen, logits, top)
    for row, token, value in zip(rows, chosen, drawn.entropies, strict=True):
        if row.error is not None:
            continue
        if row.request.record_entropy:
            row.entropies.append(value if row.tokens else math.nan)
        row.tokens.append(token)


def _steps(rows: list[Row], device: torch.device) -> Tensor:
    """(n,): how many tokens each row has."""
    return torch.tensor([len(row.tokens) for row in rows], device=device)


def _mark_broken(rows: list[Row], finite: list[float]) -> None:
    """End the rows whose logits are no numbers; the others go on."""
    for row, is_finite in zip(rows, finite, strict=True):
        if not is_finite:
            row.error = f"the model's logits are not finite at token {len(row.tokens)} of the answer"


def _top(rows: list[Row], logits: Tensor, sampler: Sampler, peaks: Tensor | None) -> Top | None:
    """The largest logits, where the sampler wants them; as many as the sketches will."""
    if not (sampler.all_restricted and sampler.samples):
        return None
    wanted = [row.request.srgen.sketch_top for row in rows if row.request.srgen is not None]
    return largest(logits, max([CANDIDATES, *wanted]), peaks)


def _keep_signals(rows: list[Row], chosen: list[int], logits: Tensor, top: Top | None) -> None:
    """Keep how sure the rows (n, V) that the tokens were drawn from are; nothing is fetched from the device."""
    if any(row.request.record_signals for row in rows):
        for row, values in zip(rows, signals(logits, torch.tensor(chosen, device=logits.device), top), strict=True):
            if row.request.record_signals and row.error is None:
                row.signals.append(values)


def _keep_logprobs(rows: list[Row], chosen: list[int], logits: Tensor) -> None:
    """Keep what the requests want of the distributions (n, V) that the tokens were drawn from."""
    wanted = [index for index, row in enumerate(rows) if row.request.logprobs is not None]
    if not wanted:
        return
    scores = torch.log_softmax(logits[wanted], dim=-1)
    tokens = torch.tensor([[chosen[index]] for index in wanted], device=logits.device)
    largest = torch.topk(scores, min(max(rows[i].request.logprobs or 0 for i in wanted), scores.shape[1]), dim=-1)
    columns = (scores.gather(1, tokens)[:, 0].tolist(), largest.indices.tolist(), largest.values.tolist())
    for index, of_chosen, ids, values in zip(wanted, *columns, strict=True):
        count = rows[index].request.logprobs
        rows[index].logprobs.append(TokenLogprobs(of_chosen, tuple(zip(ids, values, strict=True))[:count]))

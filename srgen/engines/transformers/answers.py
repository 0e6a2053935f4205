"""When a row's answer ends, and the completion that it then is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from srgen.engines.base import Completion, FinishReason, Reflection
from srgen.engines.method_rows import Reports
from srgen.engines.transformers.token_choice import Row
from srgen.thinking import forced_reports, opening_of


class Answers:
    """The answers of one tokenizer, which end with one of the tokens `ends`."""

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._ends = ends

    def finish_reason(self, row: Row) -> FinishReason | None:
        """Why the row ends with its last token; None where it goes on."""
        if row.error is not None:
            return "error"
        ended = row.tokens[-1] in self._ends and not row.request.ignore_eos
        if ended or self._stopped(row):
            return "stop"
        return "length" if len(row.tokens) >= row.limit else None

    def _stopped(self, row: Row) -> bool:
        """Whether the text so far has a stop string, looking only at its end: earlier steps saw the rest."""
        stops = row.request.sampling.stop
        if not stops:
            return False
        # A token is at least a byte and a character at most four; the margin covers tokens that begin a stop string.
        tail = row.tokens[-(4 * max(map(len, stops)) + 8) :]
        text = self._text(tail)
        return any(stop in text for stop in stops)

    def completion(
        self, row: Row, reason: FinishReason, reflections: tuple[Reflection, ...], reports: Reports
    ) -> Completion:
        """Of a row that ends, with what its methods have to say of it."""
        text = row.request.prefix + self._text(row.tokens)
        for stop in row.request.sampling.stop:
            text = text.split(stop, 1)[0]
        return Completion(
            id=row.request.id,
            prompt_tokens=len(row.prompt),
            token_ids=tuple(row.tokens),
            text=text,
            opening=opening_of(self._tokenizer, row.prompt, row.request.prefix),
            finish_reason=reason,
            reflections=reflections,
            reports={**reports, **forced_reports(row.request.methods, row.steering)},
            error=row.error,
            entropies=tuple(row.entropies) if row.request.record_entropy else None,
            signals=_signals(row),
            logprobs=None if row.request.logprobs is None else tuple(row.logprobs),
            seconds=time.monotonic() - row.started,
        )

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))


def _signals(row: Row) -> bytes | None:
    """The row's signals as bytes, fetched in one transfer; None where the request does not want them."""
    if not row.request.record_signals:
        return None
    return torch.stack(row.signals).cpu().numpy().tobytes() if row.signals else b""

"""SRGen over vLLM's steps: chunked prompts, preemption and recomputation, requests that come and go.

A step schedules a segment of consecutive positions per request. The row at position p predicts token p + 1, so that a
segment's rows but the last have their labels in the segment itself; the last one's is the prompt's next token, or the
row waits, with its logits, for the token that the next segment begins with. A preempted request computes its rows
again; those whose labels are known are passed over, and no step is monitored twice. Nothing here imports vLLM.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from srgen.engines.method_rows import MethodRows, Started
from srgen.engines.vllm.arguments import Arguments
from srgen.engines.vllm.steps import Segment, Step
from srgen.engines.vllm.stream import PromptSoFar, Stream
from srgen.method.entropy import softmax
from srgen.method.processor import Record, SRGenProcessor
from srgen.method.rows import Rows, peaks_of
from srgen.method.signals import row_signals
from srgen.methods.contract import Steer
from srgen.thinking import forced_reports

UNTAKEN = 4096
"""Statistics of ended requests that are kept until somebody takes them; the oldest are dropped first."""

logger = logging.getLogger(__name__)


class SRGenStreams:
    """The SRGen requests of one model runner."""

    def __init__(self, processor: SRGenProcessor, methods: MethodRows) -> None:
        self._processor = processor
        self._methods = methods
        self._streams: dict[str, Stream] = {}
        self._untaken: dict[str, Record] = {}
        self._steered: list[tuple[int, Steer]] = []
        """Rows of the step just followed whose token may be another than the one that is drawn."""

    def __len__(self) -> int:
        return len(self._streams)

    def admit(
        self,
        key: str,
        arguments: Arguments,
        temperature: float,
        steer: Steer | None = None,
        *,
        tokens: Sequence[int] = (),
    ) -> None:
        """Begin a request at sampling temperature `temperature` (0 is greedy). One that is resumed goes on.

        `steer` is what forces tokens upon it; `tokens` are those of its prompt, if known.
        """
        if key in self._streams:
            return
        tau = temperature or 1.0
        working = tuple(method for method in arguments.methods if method.works_on_rows)
        # Methods depend on nothing but the prompt, so that equal ones leave equal states.
        self._processor.admit(key, arguments.config, tau, tokens, None, variant=working)
        self._streams[key] = Stream(
            tau,
            arguments.tag,
            tokens,
            PromptSoFar(working) if working else None,
            arguments.methods,
            steer,
            [] if arguments.signals else None,
        )

    def finish(self, keys: Iterable[str]) -> None:
        """End requests; the statistics of tagged ones wait to be taken."""
        for key in keys:
            stream = self._streams.pop(key, None)
            if stream is not None:
                reports = {**self._methods.release(key), **forced_reports(stream.methods, stream.steer)}
                signals = _bytes(stream.signals)
                record = replace(self._processor.release(key), reports=reports, signals=signals)
                if stream.tag is not None:
                    self._untaken[stream.tag] = record
        while len(self._untaken) > UNTAKEN:
            del self._untaken[next(iter(self._untaken))]

    def take(self, tags: Sequence[str]) -> list[Record | None]:
        """Statistics by tag, handed out once; a request still in flight is ended (its tokens go on without SRGen)."""
        wanted = set(tags)
        self.finish([key for key, stream in self._streams.items() if stream.tag in wanted])
        return [self._untaken.pop(tag, None) for tag in tags]

    def step(self, step: Step, logits: Tensor) -> Tensor:
        """The step's logits (one row per segment, V), with the rows that triggered corrected in a float32 copy."""
        self._steered = []
        rows = [row for row, segment in enumerate(step.segments) if segment.key in self._streams]
        if not rows:
            return logits
        segments = [step.segments[row] for row in rows]
        keys = [segment.key for segment in segments]
        kept = any(map(self._processor.can_reflect, keys))
        # Rows that are kept are copied: the sampler works in place.
        raw = logits.to(torch.float32, copy=kept) if len(rows) == len(logits) else logits[rows].float()
        self._read_prompts(segments, step)
        shifted = any(key in self._methods for key in keys)
        keep_hidden = self._processor.keeps_hidden
        hidden = step.hidden[[segment.last for segment in segments]] if shifted or keep_hidden else None
        if shifted and hidden is not None:
            hidden, raw = self._methods.apply(keys, hidden, raw, [()] * len(keys))
        peaks = peaks_of(raw)
        entropies, tokens = self._fetch(segments, raw, peaks, step.tokens)
        self._absorb(segments, tokens, step.hidden)
        drawn = self._newly_drawn(segments)
        triggered, corrected = self._monitor(segments, drawn, entropies, raw)
        self._keep_signals(segments, drawn, raw, triggered, corrected)
        steers = [(rows[row], self._streams[segments[row].key].steer) for row in drawn]
        self._steered = [(row, steer) for row, steer in steers if steer is not None]
        self._hold(segments, Rows(hidden if keep_hidden else None, raw, peaks=peaks) if kept else None)
        if corrected is None and not shifted:
            return logits
        result = logits.to(torch.float32, copy=True)
        if shifted:
            result[rows] = raw
        if corrected is not None:
            result[[rows[hit] for hit in triggered]] = corrected
        return result

    def steer(self, drawn: Tensor) -> Tensor:
        """The step's tokens (one per row of its logits), given those that were drawn from its logits."""
        steered, self._steered = self._steered, []
        if not steered:
            return drawn
        rows = torch.tensor([row for row, _ in steered], device=drawn.device)
        tokens = [steer.token(token) for (_, steer), token in zip(steered, drawn[rows].tolist(), strict=True)]
        return drawn.index_copy(0, rows, torch.tensor(tokens, dtype=drawn.dtype, device=drawn.device))

    def _read_prompts(self, segments: Sequence[Segment], step: Step) -> None:
        """Collect prompts whose methods have not begun; those that are complete begin, and SRGen gets their rows."""
        reading = [segment for segment in segments if self._streams[segment.key].prompt is not None]
        if not reading:
            return
        tokens = step.tokens.tolist()
        started = []
        for segment in reading:
            prompt = self._streams[segment.key].prompt
            assert prompt is not None
            new = slice(segment.first + max(0, len(prompt.tokens) - segment.start), segment.last + 1)
            prompt.tokens += tokens[new]
            # Indexing by a slice alone would keep the whole step's states alive.
            prompt.hidden.append(step.hidden[new].clone())
            if segment.samples:
                started.append(Started(segment.key, prompt.methods, prompt.tokens, torch.cat(prompt.hidden)))
        self._methods.begin(started)
        for sample in started:
            stream = self._streams[str(sample.key)]
            stream.prompt = None
            states = self._methods.hidden(sample.key, sample.hidden[:-1])
            self._extend(str(sample.key), 0, states, sample.tokens[1:])
            stream.absorbed = len(sample.tokens) - 1

    def _fetch(
        self, segments: Sequence[Segment], raw: Tensor, peaks: Tensor | None, tokens: Tensor
    ) -> tuple[list[float], list[int]]:
        """Entropies of the rows and ids of the step's tokens, in one transfer from the device."""
        temperatures = [self._streams[segment.key].temperature for segment in segments]
        same = len(set(temperatures)) == 1
        tau = temperatures[0] if same else torch.tensor(temperatures, device=raw.device)[:, None]
        entropies = softmax(raw, tau, peaks=peaks).entropies
        values = torch.cat([entropies.double(), tokens.double()]).tolist()
        return values[: len(segments)], [int(value) for value in values[len(segments) :]]

    def _absorb(self, segments: Sequence[Segment], tokens: Sequence[int], hidden: Tensor) -> None:
        """Add the rows whose labels have become known to the contexts."""
        segments = [segment for segment in segments if self._streams[segment.key].prompt is None]
        self._commit([segment for segment in segments if self._streams[segment.key].awaits(segment)], tokens)
        for segment in segments:
            stream = self._streams[segment.key]
            if not self._processor.can_reflect(segment.key):
                stream.absorbed = segment.position + 1
                continue
            if segment.start > stream.absorbed:
                logger.warning("request %s skipped rows of its prompt; its context lacks them", segment.key)
                stream.absorbed = segment.start
            first = segment.first + stream.absorbed - segment.start
            labels = list(tokens[first + 1 : segment.last + 1])
            if stream.absorbed <= segment.position < stream.prompt_rows:
                labels.append(stream.prompt_tokens[segment.position + 1])
            if labels:
                states = self._methods.hidden(segment.key, hidden[first : first + len(labels)])
                self._extend(segment.key, stream.absorbed, states, labels)
                stream.absorbed += len(labels)

    def _extend(self, key: str, start: int, hidden: Tensor, labels: Sequence[int]) -> None:
        """Add rows at positions start, start + 1, ...: those of the prompt to what its samples share."""
        shared = min(max(0, self._streams[key].prompt_rows - start), len(labels))
        if shared:
            self._processor.read_prompt(key, start, hidden[:shared], labels[:shared])
        if shared < len(labels):
            self._processor.extend(key, hidden[shared:], labels[shared:])

    def _commit(self, segments: Sequence[Segment], tokens: Sequence[int]) -> None:
        """Add held rows, whose labels are the segments' first tokens; usually all are of the same step."""
        groups: dict[int, list[Segment]] = {}
        for segment in segments:
            groups.setdefault(id(self._streams[segment.key].held), []).append(segment)
        for group in groups.values():
            streams = [self._streams[segment.key] for segment in group]
            held = streams[0].held
            assert held is not None and held.logits is not None
            rows = [stream.row for stream in streams]
            labels = [tokens[segment.first] for segment in group]
            # Usually the batch is the same as a step ago, and its rows are passed on as they lie.
            if rows != list(range(len(held.logits))):
                held = held.pick(torch.tensor(rows, device=held.logits.device))
            self._processor.commit([segment.key for segment in group], labels, held)
            for stream in streams:
                stream.absorbed += 1

    def _newly_drawn(self, segments: Sequence[Segment]) -> list[int]:
        """Rows that a token is drawn from, and was not in an earlier run of the same step."""
        rows = []
        for row, segment in enumerate(segments):
            stream, position = self._streams[segment.key], segment.position
            if segment.samples and position > stream.monitored:
                stream.monitored = position
                rows.append(row)
        return rows

    def _keep_signals(
        self,
        segments: Sequence[Segment],
        rows: Sequence[int],
        raw: Tensor,
        triggered: Sequence[int],
        corrected: Tensor | None,
    ) -> None:
        """Of the `rows` that tokens are drawn from: corrected ones where they triggered."""
        wanted = [row for row in rows if self._streams[segments[row].key].signals is not None]
        if not wanted:
            return
        logits = raw[wanted]
        if corrected is not None:
            places = {row: place for place, row in enumerate(wanted)}
            for row, values in zip(triggered, corrected, strict=True):
                if row in places:
                    logits[places[row]] = values
        for row, values in zip(wanted, row_signals(logits), strict=True):
            kept = self._streams[segments[row].key].signals
            if kept is not None:
                kept.append(values)

    def _monitor(
        self, segments: Sequence[Segment], rows: Sequence[int], entropies: Sequence[float], raw: Tensor
    ) -> tuple[list[int], Tensor | None]:
        """Those of the `rows` that tokens are drawn from that triggered, and their corrected logits."""
        keys = [segments[row].key for row in rows]
        hits = self._processor.triggered(keys, [entropies[row] for row in rows])
        hits = [hit for hit in hits if not self._streams[keys[hit]].forces]
        if not hits:
            return [], None
        triggered = [rows[hit] for hit in hits]
        return triggered, self._processor.reflect([keys[hit] for hit in hits], raw[triggered])

    def _hold(self, segments: Sequence[Segment], held: Rows | None) -> None:
        for row, segment in enumerate(segments):
            stream = self._streams[segment.key]
            stream.held, stream.row, stream.position = held, row, segment.position


def _bytes(signals: list[Tensor] | None) -> bytes:
    """Of all rows, in one transfer from the device."""
    return torch.stack(signals).cpu().numpy().tobytes() if signals else b""

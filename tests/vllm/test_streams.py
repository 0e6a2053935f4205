"""Following requests through steps that are cut, batched and preempted in any way; nothing here needs vLLM."""

from __future__ import annotations

import dataclasses
import math
import random
from dataclasses import dataclass
from itertools import accumulate
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from srgen.config import SRGenConfig
from srgen.engines.method_rows import MethodRows, Started
from srgen.engines.vllm.arguments import Arguments
from srgen.engines.vllm.steps import Segment, Step
from srgen.engines.vllm.streams import UNTAKEN, SRGenStreams
from srgen.method.entropy import entropy
from srgen.method.paging import PAGE
from srgen.method.processor import Record, SRGenProcessor
from srgen.method.readout import Readout
from srgen.method.rows import Rows, largest
from srgen.methods.budget_forcing import BudgetForcing
from srgen.methods.contract import Method
from srgen.methods.slot import Slot

VOCABULARY, HIDDEN = 31, 6
CONFIG = SRGenConfig(adaptive_entropy=False, entropy_threshold=1.5, max_retries=3, lr=0.05)


@pytest.fixture
def readout() -> Readout:
    return make_readout()


def make_readout() -> Readout:
    return Readout(torch.randn(VOCABULARY, HIDDEN, generator=torch.Generator().manual_seed(0)))


def state_at(tokens: list[int]) -> Tensor:
    """A language model's last hidden state (d,): any function of the tokens so far."""
    seed = sum((index + 1) * 31 * token for index, token in enumerate(tokens))
    return torch.randn(HIDDEN, generator=torch.Generator().manual_seed(seed))


@dataclass
class Sequence:
    """A request as a scheduler holds it: known tokens, and how many of them are computed."""

    tokens: list[int]
    prompt: int
    computed: int = 0


def one_by_one(
    readout: Readout, prompt: list[int], steps: int, chosen: tuple[Method, ...] = ()
) -> tuple[list[int], Record]:
    """Greedy tokens and statistics from the processor alone, driven as the transformers engine drives it."""
    processor, methods, tokens = SRGenProcessor(readout), MethodRows(readout), list(prompt)
    states = torch.stack([state_at(tokens[: i + 1]) for i in range(len(prompt))])
    if chosen:
        methods.begin([Started("it", chosen, prompt, states)])
    processor.admit("it", CONFIG, 1.0, prompt, methods.hidden("it", states))
    for _ in range(steps):
        hidden = state_at(tokens)[None]
        hidden, logits = methods.apply(["it"], hidden, readout.logits(hidden), [()])
        hits = processor.triggered(["it"], entropy(logits).tolist())
        chosen = int((processor.reflect(["it"], logits) if hits else logits).argmax())
        processor.commit(["it"], [chosen], Rows(hidden, logits))
        tokens.append(chosen)
    return tokens[len(prompt) :], processor.release("it")


def run_step(
    streams: SRGenStreams, readout: Readout, batch: dict[str, Sequence], counts: dict[str, int]
) -> dict[str, Tensor]:
    """One forward pass over `counts` tokens of each request; returns the logits that it would sample from."""
    segments, tokens, hidden, newest = [], [], [], []
    for key, count in counts.items():
        sequence = batch[key]
        start = sequence.computed
        samples = start + count == len(sequence.tokens)
        segments.append(Segment(key, start, len(tokens), count, samples))
        for position in range(start, start + count):
            tokens.append(sequence.tokens[position])
            hidden.append(state_at(sequence.tokens[: position + 1]))
        newest.append(hidden[-1])
        sequence.computed += count
    step = Step(tuple(segments), torch.tensor(tokens), torch.stack(hidden))
    logits = readout.logits(torch.stack(newest))
    given = logits.clone()
    result = streams.step(step, logits)
    torch.testing.assert_close(logits, given, rtol=0, atol=0)
    return {segment.key: result[row] for row, segment in enumerate(segments) if segment.samples}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    slotted=st.sets(st.integers(0, 2)),
    known=st.booleans(),
)
def test_chunks_batches_and_preemptions_change_nothing(
    seed: int, lengths: list[int], slotted: set[int], known: bool
) -> None:
    choice, readout = random.Random(seed), make_readout()
    streams = SRGenStreams(SRGenProcessor(readout), MethodRows(readout))
    text = [choice.randrange(VOCABULARY) for _ in range(max(lengths))]
    # Prompts of one length are equal, and share their rows where the tokens are known.
    prompts = {str(i): text[:length] for i, length in enumerate(lengths)}
    batch = {key: Sequence(list(prompt), len(prompt)) for key, prompt in prompts.items()}
    chosen: dict[str, tuple[Method, ...]] = {key: (Slot(),) if int(key) in slotted else () for key in prompts}
    for key, prompt in prompts.items():
        streams.admit(key, Arguments(CONFIG, f"tag {key}", chosen[key]), 0.0, tokens=prompt if known else ())
    steps, preemptions = 12, 4
    while open_ := [key for key, s in batch.items() if len(s.tokens) - s.prompt < steps]:
        if preemptions and choice.random() < 0.2:
            preemptions -= 1
            victim = choice.choice(open_)
            batch[victim].computed = 0
            streams.admit(victim, Arguments(CONFIG, "a resumed request keeps its first tag"), 0.0)
        scheduled = choice.sample(open_, choice.randint(1, len(open_)))
        counts = {key: choice.randint(1, len(batch[key].tokens) - batch[key].computed) for key in scheduled}
        for key, logits in run_step(streams, readout, batch, counts).items():
            batch[key].tokens.append(int(logits.argmax()))
    for key, prompt in prompts.items():
        tokens, expected = one_by_one(readout, prompt, steps, chosen[key])
        assert batch[key].tokens[len(prompt) :] == tokens
        [record] = streams.take([f"tag {key}"])
        assert record is not None
        assert set(record.reports) == {method.name for method in chosen[key]}
        assert record.entropies[1:] == pytest.approx(expected.entropies[1:], abs=1e-4)
        assert [r.position for r in record.reflections] == [r.position for r in expected.reflections]
        for ours, theirs in zip(record.reflections, expected.reflections, strict=True):
            assert ours.losses == pytest.approx(theirs.losses, rel=1e-3)
            assert ours.delta_norm == pytest.approx(theirs.delta_norm, rel=1e-3)
    assert len(streams) == 0


def test_64_samples_of_a_prompt_of_1000_tokens_sketch_it_once(readout: Readout) -> None:
    """Prompts come in chunks of other lengths for each sample; then all reflect."""
    length, samples = 1000, [str(index) for index in range(64)]
    generator = torch.Generator().manual_seed(3)
    prompt = torch.randint(VOCABULARY, (length,), generator=generator)
    states = torch.randn(length, HIDDEN, generator=generator)
    processor = SRGenProcessor(readout)
    streams = SRGenStreams(processor, MethodRows(readout))
    eager = dataclasses.replace(CONFIG, entropy_threshold=0.0)
    for key in samples:
        streams.admit(key, Arguments(eager, key), 0.0, tokens=prompt.tolist())
    computed = dict.fromkeys(samples, 0)
    with patch("srgen.method.context.largest", wraps=largest) as sketched:
        while min(computed.values()) < length:
            chosen = {key: min(100 + 7 * index, length - computed[key]) for index, key in enumerate(samples)}
            parts = {key: slice(computed[key], computed[key] + count) for key, count in chosen.items() if count}
            firsts = accumulate((chosen[key] for key in parts), initial=0)
            segments = tuple(
                Segment(key, part.start, first, chosen[key], part.stop == length)
                for (key, part), first in zip(parts.items(), firsts, strict=False)
            )
            hidden = torch.cat([states[part] for part in parts.values()])
            step = Step(segments, torch.cat([prompt[part] for part in parts.values()]), hidden)
            streams.step(step, readout.logits(torch.stack([states[part.stop - 1] for part in parts.values()])))
            computed |= {key: part.stop for key, part in parts.items()}
        assert not sketched.called, "nothing of a prompt is computed before a reflection"
        tokens = torch.randint(VOCABULARY, (64,), generator=generator)
        hidden = torch.randn(64, HIDDEN, generator=generator)
        segments = tuple(Segment(key, length, row, 1, True) for row, key in enumerate(samples))
        streams.step(Step(segments, tokens, hidden), readout.logits(hidden))
    # The prompt's 999 rows once, and of each sample the row that gave its first token.
    assert sum(len(call.args[0]) for call in sketched.call_args_list) == length - 1 + 64
    assert all(len(record.reflections) == 1 for record in streams.take(samples) if record is not None)
    [store] = processor._stores.values()
    pages = -(-(length - 1) // PAGE) + 64
    positions = pages * PAGE * (6 * min(eager.sketch_top, VOCABULARY) + 12)
    assert positions + 65 * 4 * VOCABULARY <= store.nbytes <= 1.6 * positions + 66 * 1.5 * 4 * VOCABULARY


def test_the_reference_reflects(readout: Readout) -> None:
    """Otherwise the comparison above would compare nothing."""
    assert len(one_by_one(readout, [1, 2, 3], 12)[1].reflections) == CONFIG.max_retries


def test_plain_rows_and_empty_steps_are_returned_as_they_came(readout: Readout) -> None:
    streams = SRGenStreams(SRGenProcessor(readout), MethodRows(readout))
    logits = torch.randn(2, VOCABULARY)
    step = Step(
        (Segment("a", 0, 0, 1, True), Segment("b", 0, 1, 1, True)), torch.tensor([1, 2]), torch.randn(2, HIDDEN)
    )
    assert streams.step(step, logits) is logits
    streams.admit("b", Arguments(CONFIG, None), 0.7)
    assert streams.step(step, logits) is logits, "the first token is not monitored"
    flat = torch.zeros(2, VOCABULARY)
    later = Step(
        (Segment("a", 1, 0, 1, True), Segment("b", 1, 1, 1, True)), torch.tensor([1, 2]), torch.randn(2, HIDDEN)
    )
    corrected = streams.step(later, flat)
    assert torch.equal(corrected[0], flat[0])
    assert not torch.equal(corrected[1], flat[1])


def test_a_step_that_runs_again_is_not_counted_twice(readout: Readout) -> None:
    streams = SRGenStreams(SRGenProcessor(readout), MethodRows(readout))
    streams.admit("a", Arguments(CONFIG, "a"), 0.0)
    batch = {"a": Sequence([3, 1, 4], 3)}
    run_step(streams, readout, batch, {"a": 3})
    batch["a"].computed = 0
    run_step(streams, readout, batch, {"a": 3})
    [record] = streams.take(["a"])
    assert record is not None
    assert len(record.entropies) == 1
    assert math.isnan(record.entropies[0])


def test_nothing_is_kept_of_samples_that_cannot_reflect_any_more(
    readout: Readout, caplog: pytest.LogCaptureFixture
) -> None:
    streams = SRGenStreams(SRGenProcessor(readout), MethodRows(readout))
    eager = dataclasses.replace(CONFIG, entropy_threshold=0.0, max_retries=2)
    streams.admit("a", Arguments(eager, "a"), 0.0, tokens=[3, 1, 4])
    batch = {"a": Sequence([3, 1, 4], 3)}
    held = []
    with patch("srgen.method.context.SketchStore.append") as kept:
        for _ in range(8):
            count = len(batch["a"].tokens) - batch["a"].computed
            batch["a"].tokens.append(int(run_step(streams, readout, batch, {"a": count})["a"].argmax()))
            held.append((streams._streams["a"].held is not None, kept.call_count))
    # The first token is not monitored; the second and third are reflected on.
    assert [holds for holds, _ in held] == [True, True, True] + [False] * 5
    assert held[-1][1] == held[2][1]
    assert not caplog.text
    [record] = streams.take(["a"])
    assert record is not None
    assert len(record.entropies) == 8
    assert len(record.reflections) == 2


def test_logits_in_half_precision_are_corrected_in_float32(readout: Readout) -> None:
    streams = SRGenStreams(SRGenProcessor(readout), MethodRows(readout))
    streams.admit("a", Arguments(CONFIG, None), 0.0)
    for position in range(2):
        step = Step((Segment("a", position, 0, 1, True),), torch.tensor([position]), torch.randn(1, HIDDEN))
        logits = streams.step(step, torch.zeros(1, VOCABULARY, dtype=torch.bfloat16))
    assert logits.dtype == torch.float32


def test_statistics_are_handed_out_once_and_the_oldest_are_dropped(readout: Readout) -> None:
    streams = SRGenStreams(SRGenProcessor(readout), MethodRows(readout))
    for index in range(UNTAKEN + 1):
        streams.admit(str(index), Arguments(CONFIG, str(index)), 0.0)
        streams.finish([str(index), "unknown"])
    streams.admit("untagged", Arguments(CONFIG, None), 0.0)
    streams.finish(["untagged"])
    assert streams.take(["0"]) == [None]
    assert streams.take(["1"]) == [Record((), ())]
    assert streams.take(["1"]) == [None]
    assert len(streams) == 0


def test_a_request_whose_prompt_was_skipped_goes_on_and_says_so(
    readout: Readout, caplog: pytest.LogCaptureFixture
) -> None:
    streams = SRGenStreams(SRGenProcessor(readout), MethodRows(readout))
    streams.admit("a", Arguments(CONFIG, "a"), 0.0)
    batch = {"a": Sequence([3, 1, 4, 1], 4, computed=2)}
    run_step(streams, readout, batch, {"a": 2})
    assert "request a skipped rows" in caplog.text


class Forcing:
    """Forces the tokens 7 and 8 after the first two; counts what it is asked about."""

    def __init__(self) -> None:
        self.drawn: list[int] = []

    @property
    def forces(self) -> bool:
        return len(self.drawn) in (2, 3)

    @property
    def report(self) -> dict[str, float]:
        return {"asked": float(len(self.drawn))}

    def token(self, drawn: int) -> int:
        self.drawn.append(drawn)
        return {3: 7, 4: 8}.get(len(self.drawn), drawn)


def test_tokens_are_forced_once_each_and_never_reflected_on(readout: Readout) -> None:
    always = SRGenConfig(adaptive_entropy=False, entropy_threshold=0.0, max_retries=9, lr=0.05)
    streams = SRGenStreams(SRGenProcessor(readout), MethodRows(readout))
    steer, forcing = Forcing(), BudgetForcing()
    streams.admit("it", Arguments(always, "it", (forcing,)), 0.0, steer)
    streams.admit("other", Arguments(always, "other"), 0.0)
    batch = {"other": Sequence([4, 5], 2), "it": Sequence([1, 2, 3], 3)}
    for step in range(6):
        if step == 3:  # Preempted: its first rows are computed again, in two chunks, and no token is asked for twice.
            batch["it"].computed = 0
            run_step(streams, readout, batch, {"it": 2})
            assert streams.steer(torch.tensor([9])).tolist() == [9]
        logits = run_step(streams, readout, batch, {k: len(s.tokens) - s.computed for k, s in batch.items()})
        drawn = torch.stack([logits[key] for key in batch]).argmax(-1)
        for key, token in zip(batch, streams.steer(drawn).tolist(), strict=True):
            batch[key].tokens.append(token)
    assert batch["it"].tokens[5:7] == [7, 8]
    assert len(steer.drawn) == 6
    streams.finish(["it", "other"])
    mine, other = streams.take(["it", "other"])
    assert mine is not None and other is not None
    assert [reflection.position for reflection in mine.reflections] == [1, 4, 5]
    assert [reflection.position for reflection in other.reflections] == [1, 2, 3, 4, 5]
    assert mine.reports == {"budget_forcing": {"asked": 6.0}}

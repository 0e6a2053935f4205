"""Reflections on a support: what they leave out must not matter, and what they keep must be right."""

from __future__ import annotations

import dataclasses
import itertools
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from srgen import SRGenConfig
from srgen.method.context import SketchStore
from srgen.method.readout import Readout
from srgen.method.reflection import Corrected, entropy_and_gradient, reflect
from srgen.method.rows import Rows
from srgen.method.sketch import Sketch
from srgen.method.support import Support, _step, chosen, reflect_on_support, support_of

HEADS = st.sampled_from([(1.0, None), (0.25, None), (1.0, 3.0), (2.0, 5.0)])
VOCABULARY, HIDDEN = 97, 7


def head(seed: int, scale: float = 1.0, cap: float | None = None, dtype: torch.dtype = torch.float64) -> Readout:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(VOCABULARY, HIDDEN, generator=generator, dtype=torch.float64)
    bias = torch.randn(VOCABULARY, generator=generator, dtype=torch.float64)
    return Readout(weight.to(dtype), bias.to(dtype), scale, cap)


def sketch_of(readout: Readout, length: int, top: int = 9, tail_power: float = 0.5) -> Sketch:
    generator = torch.Generator().manual_seed(length)
    store = SketchStore(readout, top, tail_power)
    slot = store.open()
    if length:
        states = torch.randn(length, readout.hidden, generator=generator, dtype=torch.float64).to(readout.dtype)
        labels = torch.randint(readout.vocabulary, (length,), generator=generator)
        store.append([slot] * length, labels, Rows(states, readout.logits(states)))
    return store.sketch(slot)


def row_of(readout: Readout, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return readout.logits(torch.randn(1, readout.hidden, generator=generator, dtype=torch.float64).to(readout.dtype))


def both(
    readout: Readout, contexts: list[Sketch], logits: Tensor, temperature: Tensor, **parameters: float
) -> tuple[Corrected, Corrected]:
    config = SRGenConfig(**parameters)
    full = reflect(readout, [context.cross_entropy for context in contexts], logits, temperature, config)
    return full, reflect_on_support(readout, contexts, logits, temperature, config)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), head_=HEADS, cuts=st.sets(st.integers(1, 29), min_size=1, max_size=4))
def test_it_does_not_matter_how_a_context_is_cut_into_chunks(
    seed: int, head_: tuple[float, float | None], cuts: set[int]
) -> None:
    readout = head(seed, *head_)
    whole = sketch_of(readout, 30)
    (chunk,) = whole.chunks
    ends = [0, *sorted(cuts), 30]
    parts = tuple(type(chunk)(*(column[start:end] for column in chunk)) for start, end in itertools.pairwise(ends))
    shift = row_of(readout, seed)[0] / 5
    found = dataclasses.replace(whole, chunks=parts).cross_entropy(shift)
    torch.testing.assert_close(found, whole.cross_entropy(shift), atol=1e-9, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), head_=HEADS, length=st.integers(0, 30), temperature=st.floats(0.3, 2.0))
def test_the_whole_vocabulary_as_support_changes_nothing(
    seed: int, head_: tuple[float, float | None], length: int, temperature: float
) -> None:
    readout = head(seed, *head_)
    tau = torch.tensor([temperature], dtype=torch.float64)
    full, found = both(
        readout, [sketch_of(readout, length)], row_of(readout, seed), tau, support_size=VOCABULARY, times=4, lr=0.05
    )
    torch.testing.assert_close(found.delta, full.delta, atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(found.logits, full.logits, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found.losses, full.losses, atol=1e-7, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), head_=HEADS, size=st.integers(1, VOCABULARY), length=st.integers(0, 30))
def test_one_step_is_exact_on_any_support(seed: int, head_: tuple[float, float | None], size: int, length: int) -> None:
    readout = head(seed, *head_)
    tau = torch.tensor([0.7], dtype=torch.float64)
    full, found = both(readout, [sketch_of(readout, length)], row_of(readout, seed), tau, support_size=size, times=1)
    torch.testing.assert_close(found.delta, full.delta, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.losses, full.losses, atol=1e-9, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.integers(20, VOCABULARY), temperature=st.floats(0.3, 2.0))
def test_a_shift_that_is_one_number_outside_is_treated_exactly(seed: int, size: int, temperature: float) -> None:
    """Entropy, cross entropy and their gradients over a support are those over the vocabulary."""
    generator = torch.Generator().manual_seed(seed)
    readout, logits = head(seed), row_of(head(seed), seed + 1)
    context = sketch_of(readout, 12)
    tau = torch.tensor([[temperature]], dtype=torch.float64)
    ids = chosen(
        torch.rand(VOCABULARY, generator=generator, dtype=torch.float64),
        torch.zeros(VOCABULARY, dtype=torch.float64),
        context.labels,
        SRGenConfig(support_size=size),
    )
    support = support_of(readout, torch.rand(VOCABULARY, dtype=torch.float64), torch.ones(HIDDEN).double(), ids)
    local = torch.randn(len(ids) + 1, generator=generator, dtype=torch.float64)
    shift = local[support.local.long()]
    outside = torch.full((VOCABULARY,), True).index_fill(0, ids, False)

    step = _step(readout, logits[0], torch.softmax(logits[0] / tau[0], 0), tau[0, 0], support)
    expected, by_shift = entropy_and_gradient(logits + shift, tau)
    value, gradient = step.entropy(local, tau)
    torch.testing.assert_close(value, expected[0])
    torch.testing.assert_close(gradient[:-1], by_shift[0, ids])
    torch.testing.assert_close(gradient[-1], by_shift[0, outside].sum())

    expected, by_shift = context.cross_entropy(shift)
    value, gradient = context.over(ids, support.local).cross_entropy(local)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient[:-1], by_shift[ids])
    torch.testing.assert_close(gradient[-1], by_shift[outside].sum())


def test_labels_belong_to_every_support() -> None:
    labels = torch.tensor([3, 90, 3, 41], dtype=torch.int32)
    zeros = torch.zeros(VOCABULARY, dtype=torch.float64)
    for size in (0, 3, 8):
        ids = chosen(zeros, zeros, labels, SRGenConfig(support_size=size))
        assert {3, 41, 90} <= set(ids.tolist())
        assert ids.tolist() == sorted(set(ids.tolist()))


class Counted(Readout):
    """Counts the reads of all of W."""

    reads = 0

    def shift(self, delta: Tensor) -> Tensor:
        Counted.reads += 1
        return super().shift(delta)

    def pull_back(self, gradient: Tensor) -> Tensor:
        Counted.reads += 1
        return super().pull_back(gradient)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("times", [1, 3])
def test_w_is_read_once_however_many_rows_and_steps(rows: int, times: int) -> None:
    plain = head(1, dtype=torch.float32)
    readout = Counted(plain.weight, plain.bias)
    contexts = [sketch_of(plain, 10 + row) for row in range(rows)]
    logits = torch.cat([row_of(plain, row) for row in range(rows)])
    with patch.object(Counted, "reads", 0):
        full, found = both(readout, contexts, logits, torch.ones(rows), times=times, support_size=VOCABULARY)
        assert Counted.reads == 2 * times + 1
    torch.testing.assert_close(found.delta, full.delta, atol=1e-4, rtol=1e-3)


def test_forbidden_tokens_stay_forbidden_and_finite() -> None:
    readout = head(2)
    logits = row_of(readout, 2)
    context = sketch_of(readout, 12)
    logits[0, context.labels.long()[:5]] = -torch.inf
    for size in (0, 30, VOCABULARY):
        _, found = both(readout, [context], logits, torch.tensor([0.6], dtype=torch.float64), support_size=size)
        assert found.logits[0, context.labels.long()[:5]].isneginf().all()
        assert found.logits[0].isfinite().sum() == VOCABULARY - len(set(context.labels.tolist()[:5]))
        assert found.delta.isfinite().all()
        assert found.losses.isfinite().all()


def test_rows_together_are_those_alone() -> None:
    readout = head(5)
    contexts = [sketch_of(readout, length) for length in (13, 4, 0)]
    logits = torch.cat([row_of(readout, row) for row in range(3)])
    temperature = torch.tensor([0.6, 1.0, 0.8], dtype=torch.float64)
    config = SRGenConfig(support_size=50)
    together = reflect_on_support(readout, contexts, logits, temperature, config)
    for row in range(3):
        alone = reflect_on_support(readout, [contexts[row]], logits[row : row + 1], temperature[row : row + 1], config)
        torch.testing.assert_close(together.logits[row], alone.logits[0], atol=1e-9, rtol=1e-9)


def test_farther_steps_take_a_larger_support() -> None:
    generator = torch.Generator().manual_seed(0)
    gradient = 10 ** torch.empty(5000, dtype=torch.float64).uniform_(-9, -4, generator=generator)
    labels = torch.zeros(0, dtype=torch.int32)
    near, far = (len(chosen(gradient, torch.zeros_like(gradient), labels, SRGenConfig(lr=lr))) for lr in (0.01, 0.1))
    assert 0 < near < far < 5000


def test_the_direction_of_what_is_outside_reproduces_the_gradient() -> None:
    readout = head(6)
    generator = torch.Generator().manual_seed(6)
    gradient = torch.rand(VOCABULARY, generator=generator, dtype=torch.float64)
    support: Support = support_of(readout, gradient, readout.pull_back(gradient[None])[0], torch.arange(20))
    local = torch.cat([gradient[:20], gradient[20:].sum()[None]])
    torch.testing.assert_close(support.pull_back(local), readout.pull_back(gradient[None])[0])

"""Reflections on a support: what they leave out must not matter, and what they keep must be right."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from srgen import SRGenConfig
from srgen.method.context import SketchStore
from srgen.method.readout import Readout
from srgen.method.reflection import Corrected, entropy_and_gradient, reflect
from srgen.method.rows import Rows
from srgen.method.sketch import Sketch
from srgen.method.support import _steps, chosen, reflect_on_support, supports_of

HEADS = st.sampled_from([(1.0, None), (0.25, None), (1.0, 3.0), (2.0, 5.0)])
VOCABULARY, HIDDEN = 97, 7
LAUNCHES, CAPPED_LAUNCHES = 250, 410
"""Most operations of one reflection of three steps, whatever its rows; without a soft cap and with one."""


def head(seed: int, scale: float = 1.0, cap: float | None = None, dtype: torch.dtype = torch.float64) -> Readout:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(VOCABULARY, HIDDEN, generator=generator, dtype=torch.float64)
    bias = torch.randn(VOCABULARY, generator=generator, dtype=torch.float64)
    return Readout(weight.to(dtype), bias.to(dtype), scale, cap)


def sketch_of(readout: Readout, *lengths: int, top: int = 9, tail_power: float = 0.5) -> Sketch:
    """One context of each length, together."""
    store = SketchStore(readout, top, tail_power)
    slots = []
    for length in lengths:
        generator = torch.Generator().manual_seed(length)
        slots.append(store.open())
        if length:
            states = torch.randn(length, readout.hidden, generator=generator, dtype=torch.float64).to(readout.dtype)
            labels = torch.randint(readout.vocabulary, (length,), generator=generator)
            store.append([slots[-1]] * length, labels, Rows(states, readout.logits(states)))
    return store.sketch(*slots)


def row_of(readout: Readout, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return readout.logits(torch.randn(1, readout.hidden, generator=generator, dtype=torch.float64).to(readout.dtype))


def both(
    readout: Readout, contexts: list[Sketch], logits: Tensor, temperature: Tensor, **parameters: float
) -> tuple[Corrected, Corrected]:
    config = SRGenConfig(**parameters)
    full = reflect(readout, [context.only for context in contexts], logits, temperature, config)
    return full, reflect_on_support(readout, contexts, logits, temperature, config)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), head_=HEADS, lengths=st.lists(st.integers(0, 30), min_size=2, max_size=4))
def test_contexts_together_are_those_alone(seed: int, head_: tuple[float, float | None], lengths: list[int]) -> None:
    readout = head(seed, *head_)
    shifts = torch.cat([row_of(readout, seed + row) for row in range(len(lengths))]) / 5
    values, gradients = sketch_of(readout, *lengths).cross_entropy(shifts)
    for row, length in enumerate(lengths):
        value, gradient = sketch_of(readout, length).cross_entropy(shifts[row][None])
        torch.testing.assert_close(values[row], value[0], atol=1e-9, rtol=1e-9)
        torch.testing.assert_close(gradients[row], gradient[0], atol=1e-9, rtol=1e-9)


@settings(max_examples=20, deadline=None)
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


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), head_=HEADS, size=st.integers(1, VOCABULARY), length=st.integers(0, 30))
def test_one_step_is_exact_on_any_support(seed: int, head_: tuple[float, float | None], size: int, length: int) -> None:
    readout = head(seed, *head_)
    tau = torch.tensor([0.7], dtype=torch.float64)
    full, found = both(readout, [sketch_of(readout, length)], row_of(readout, seed), tau, support_size=size, times=1)
    torch.testing.assert_close(found.delta, full.delta, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(found.losses, full.losses, atol=1e-9, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), size=st.integers(20, VOCABULARY), temperature=st.floats(0.3, 2.0))
def test_a_shift_that_is_one_number_outside_is_treated_exactly(seed: int, size: int, temperature: float) -> None:
    """Entropy, cross entropy and their gradients over a support are those over the vocabulary."""
    generator = torch.Generator().manual_seed(seed)
    readout, logits = head(seed), row_of(head(seed), seed + 1)
    context = sketch_of(readout, 12)
    tau = torch.tensor([[temperature]], dtype=torch.float64)
    score = torch.rand(1, VOCABULARY, generator=generator, dtype=torch.float64)
    config = SRGenConfig(support_size=size)
    found = chosen(score, torch.zeros_like(score), context, config)
    supports = supports_of(readout, torch.rand_like(score), torch.ones(1, HIDDEN).double(), *found)
    local = torch.randn(1, supports.rows.shape[1], generator=generator, dtype=torch.float64)
    inside = supports.inside > 0
    assert inside.sum() == size
    shift = local.gather(1, supports.local)
    outside = torch.full((VOCABULARY,), True).index_fill(0, supports.ids[0], False)

    steps = _steps(readout, logits, torch.softmax(logits / tau, 1), tau, supports)
    expected, by_shift = entropy_and_gradient(logits + shift, tau)
    value, gradient = steps.entropy(local, tau)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient[:, :-1], torch.where(inside, by_shift[:, supports.ids[0]], 0.0))
    torch.testing.assert_close(gradient[0, -1], by_shift[0, outside].sum())

    expected, by_shift = context.cross_entropy(shift)
    value, gradient = context.over(supports.ids, supports.inside, supports.local).cross_entropy(local)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient[:, :-1], torch.where(inside, by_shift[:, supports.ids[0]], 0.0))
    torch.testing.assert_close(gradient[0, -1], by_shift[0, outside].sum())


def test_labels_belong_to_every_support() -> None:
    readout = head(1)
    context = sketch_of(readout, 4, 9)
    zeros = torch.zeros(2, VOCABULARY, dtype=torch.float64)
    labels = [set((context.labels[context.owners == row] - row * VOCABULARY).tolist()) for row in range(2)]
    for size in (0, 9, 20):
        wanted, sizes = chosen(zeros, zeros, context, SRGenConfig(support_size=size))
        supports = supports_of(readout, zeros, torch.zeros(2, HIDDEN).double(), wanted, sizes)
        for row in range(2):
            ids = supports.ids[row][supports.inside[row] > 0].tolist()
            assert labels[row] <= set(ids)
            assert ids == sorted(set(ids))
            assert len(ids) == (size or len(labels[row]))
            assert supports.local[row, ids].tolist() == list(range(len(ids)))


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


@pytest.mark.parametrize("size", [0, 50])
@pytest.mark.parametrize("cap", [None, 3.0])
def test_rows_together_are_those_alone(cap: float | None, size: int) -> None:
    """In one product with W, and in everything else too, as on a GPU."""
    readout, lengths = head(5, 1.0, cap), (13, 4, 0)
    logits = torch.cat([row_of(readout, row) for row in range(3)])
    logits[1, 7] = -torch.inf
    temperature = torch.tensor([0.6, 1.0, 0.8], dtype=torch.float64)
    config = SRGenConfig(support_size=size)
    one_by_one = reflect_on_support(
        readout, [sketch_of(readout, length) for length in lengths], logits, temperature, config
    )
    together = reflect_on_support(readout, [sketch_of(readout, *lengths)], logits, temperature, config)
    for row, length in enumerate(lengths):
        only = [sketch_of(readout, length)]
        found = reflect_on_support(readout, only, logits[row : row + 1], temperature[row : row + 1], config)
        for rows in (one_by_one, together):
            for column, expected in zip(rows, found, strict=True):
                torch.testing.assert_close(column[row], expected[0], atol=1e-9, rtol=1e-9)


def test_farther_steps_take_a_larger_support() -> None:
    generator = torch.Generator().manual_seed(0)
    readout = head(0)
    gradient = 10 ** torch.empty(1, VOCABULARY, dtype=torch.float64).uniform_(-8, -5, generator=generator)
    zeros, context = torch.zeros_like(gradient), sketch_of(readout, 0)
    near, far = (int(chosen(gradient, zeros, context, SRGenConfig(lr=lr))[0].sum()) for lr in (0.01, 0.1))
    assert 0 < near < far < VOCABULARY


def test_the_direction_of_what_is_outside_reproduces_the_gradient() -> None:
    readout = head(6)
    generator = torch.Generator().manual_seed(6)
    gradient = torch.rand(2, VOCABULARY, generator=generator, dtype=torch.float64)
    wanted = torch.zeros(2, VOCABULARY, dtype=torch.bool)
    wanted[0, :20] = wanted[1, 40:53] = True
    supports = supports_of(readout, gradient, readout.pull_back(gradient), wanted)
    local = torch.zeros(supports.rows.shape[:2], dtype=torch.float64).scatter_add_(1, supports.local, gradient)
    torch.testing.assert_close(supports.pull_back(local), readout.pull_back(gradient))


FREE = {
    "view", "_unsafe_view", "view_as", "slice", "select", "unsqueeze", "squeeze", "expand", "expand_as", "t",
    "transpose", "detach", "alias", "as_strided", "unbind", "empty", "empty_like", "new_empty", "empty_strided",
    "lift_fresh",
}  # fmt: skip
"""Operations that launch nothing on a GPU."""


class Launches(TorchDispatchMode):
    """Counts the operations that a GPU would be given."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += operation.overloadpacket.__name__ not in FREE
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize(("cap", "most"), [(None, LAUNCHES), (5.0, CAPPED_LAUNCHES)])
def test_many_rows_launch_no_more_than_one(cap: float | None, most: int) -> None:
    """A launch takes about 10 microseconds of the host, whatever it computes (docs/benchmarks.md)."""
    readout = head(1, 1.0, cap, dtype=torch.float32)
    counts = []
    for rows in (1, 8):
        contexts = [sketch_of(readout, *range(20, 20 + rows))]
        logits = torch.cat([row_of(readout, row) for row in range(rows)])
        with torch.no_grad(), Launches() as launches:
            reflect_on_support(readout, contexts, logits, torch.ones(rows), SRGenConfig())
        counts.append(launches.count)
    assert max(counts) <= most
    assert abs(counts[0] - counts[1]) <= 20

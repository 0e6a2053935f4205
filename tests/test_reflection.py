"""Closed-form gradients and the two context stores, against autograd."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from srgen import SRGenConfig
from srgen.method.context import ExactStore, SketchStore
from srgen.method.products import by_columns, by_rows
from srgen.method.readout import Readout
from srgen.method.reflection import AdamW, entropy_and_gradient, reflect
from srgen.method.rows import Rows

HEADS = st.sampled_from([(1.0, None), (0.25, None), (1.0, 3.0), (2.0, 5.0)])


def random_case(seed: int, scale: float, cap: float | None, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(seed)
    vocabulary, hidden, positions = 61, 7, 13
    readout = Readout(
        torch.randn(vocabulary, hidden, generator=generator, dtype=dtype),
        torch.randn(vocabulary, generator=generator, dtype=dtype),
        scale,
        cap,
    )
    states = torch.randn(positions, hidden, generator=generator, dtype=dtype)
    labels = torch.randint(vocabulary, (positions,), generator=generator)
    last = torch.randn(hidden, generator=generator, dtype=dtype)
    return readout, states, labels, last


def full_logits(readout: Readout, states: Tensor, delta: Tensor) -> Tensor:
    raw = readout.scale * ((states + delta) @ readout.weight.T + readout.bias)
    return raw if readout.cap is None else readout.cap * torch.tanh(raw / readout.cap)


def filled(store, readout: Readout, states: Tensor, labels: Tensor) -> int:
    slot = store.open()
    # In two parts, as a prompt and a step are.
    for part in (slice(0, 9), slice(9, None)):
        rows = states[part]
        store.append([slot] * len(rows), labels[part], Rows(rows, readout.logits(rows)))
    return slot


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), head=HEADS, size=st.sampled_from([0.0, 0.3, 2.0]))
def test_exact_gradient_is_autograds(seed: int, head: tuple[float, float | None], size: float) -> None:
    readout, states, labels, _ = random_case(seed, *head)
    delta = (torch.randn(readout.hidden, dtype=torch.float64) * size).requires_grad_()
    expected = torch.nn.functional.cross_entropy(full_logits(readout, states, delta), labels)
    (gradient,) = torch.autograd.grad(expected, [delta])

    store = ExactStore(readout)
    slot = filled(store, readout, states, labels)
    loss, by_shift = store.cross_entropy(slot, readout.shift(delta.detach()[None])[0])
    assert float(loss) == pytest.approx(float(expected.detach()), abs=1e-9)
    torch.testing.assert_close(readout.pull_back(by_shift[None])[0], gradient, atol=1e-9, rtol=0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), head=HEADS, temperature=st.floats(0.3, 2.0), size=st.sampled_from([0.0, 1.0]))
def test_entropy_gradient_is_autograds(
    seed: int, head: tuple[float, float | None], temperature: float, size: float
) -> None:
    readout, _, _, last = random_case(seed, *head)
    delta = (torch.randn(readout.hidden, dtype=torch.float64) * size).requires_grad_()
    log_p = torch.log_softmax(full_logits(readout, last, delta) / temperature, -1)
    expected = -(log_p.exp() * log_p).sum()
    (gradient,) = torch.autograd.grad(expected, [delta])

    moved, slope = readout.move(readout.logits(last[None]), readout.shift(delta.detach()[None]))
    value, by_logits = entropy_and_gradient(moved, torch.tensor([[temperature]], dtype=torch.float64))
    by_shift = by_logits if slope is None else by_logits * slope
    assert float(value[0]) == pytest.approx(float(expected.detach()), abs=1e-9)
    torch.testing.assert_close(readout.pull_back(by_shift)[0], gradient, atol=1e-9, rtol=0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), head=HEADS, top=st.sampled_from([1, 4, 30, 61, 500]))
def test_the_sketch_is_exact_at_zero(seed: int, head: tuple[float, float | None], top: int) -> None:
    readout, states, labels, _ = random_case(seed, *head)
    exact, sketch = ExactStore(readout), SketchStore(readout, top)
    shift = torch.zeros(readout.vocabulary, dtype=torch.float64)
    expected = exact.cross_entropy(filled(exact, readout, states, labels), shift)
    found = sketch.cross_entropy(filled(sketch, readout, states, labels), shift)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), head=HEADS)
def test_one_step_of_sketch_and_exact_agree_to_rounding(seed: int, head: tuple[float, float | None]) -> None:
    corrected = {}
    for mode in (ExactStore, lambda readout: SketchStore(readout, 8)):
        readout, states, labels, last = random_case(seed, *head, dtype=torch.float32)
        store = mode(readout)
        slot = filled(store, readout, states, labels)
        corrected[mode] = reflect(
            readout,
            [lambda shift, store=store, slot=slot: store.cross_entropy(slot, shift)],
            readout.logits(last[None]),
            torch.tensor([0.6]),
            SRGenConfig(times=1),
        )
    exact, sketch = corrected.values()
    torch.testing.assert_close(sketch.delta, exact.delta, atol=2e-5, rtol=1e-3)
    torch.testing.assert_close(sketch.losses, exact.losses, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("scale", "cap"), [(1.0, None), (1.0, 6.0)])
def test_the_sketch_stays_close_away_from_zero(scale: float, cap: float | None) -> None:
    readout, states, labels, last = random_case(3, scale, cap, dtype=torch.float32)
    results = []
    for store in (ExactStore(readout), SketchStore(readout, 24)):
        slot = filled(store, readout, states, labels)
        results.append(
            reflect(
                readout,
                [lambda shift, store=store, slot=slot: store.cross_entropy(slot, shift)],
                readout.logits(last[None]),
                torch.tensor([1.0]),
                SRGenConfig(times=5, lr=0.02),
            )
        )
    exact, sketch = results
    assert (sketch.delta - exact.delta).norm() <= 0.02 * exact.delta.norm()


def test_rows_reflected_together_are_those_reflected_alone() -> None:
    readout, states, labels, _ = random_case(5, 1.0, None, dtype=torch.float32)
    store = SketchStore(readout, 16)
    slots = [filled(store, readout, states[:n], labels[:n]) for n in (13, 10, 11)]
    logits = readout.logits(torch.randn(3, readout.hidden))
    contexts = [lambda shift, slot=slot: store.cross_entropy(slot, shift) for slot in slots]
    config, temperature = SRGenConfig(), torch.tensor([0.6, 1.0, 0.8])
    together = reflect(readout, contexts, logits, temperature, config)
    for row in range(3):
        alone = reflect(readout, [contexts[row]], logits[row : row + 1], temperature[row : row + 1], config)
        torch.testing.assert_close(together.logits[row], alone.logits[0], atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([1e-8, 1e-5, 1.0, 1e4]), lr=st.floats(1e-4, 0.5))
def test_adamw_is_that_of_torch(seed: int, scale: float, lr: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    ours, theirs = torch.zeros(3, 5, dtype=torch.float64), torch.zeros(3, 5, dtype=torch.float64)
    mine = AdamW(ours, lr)
    reference = torch.optim.AdamW([theirs], lr=lr, betas=(0.9, 0.999), eps=1e-5, weight_decay=1e-8)
    for _ in range(6):
        theirs.grad = scale * torch.randn(3, 5, generator=generator, dtype=torch.float64)
        mine.step(theirs.grad)
        reference.step()
        torch.testing.assert_close(ours, theirs, atol=0, rtol=1e-9)


def test_an_empty_context_has_no_cross_entropy() -> None:
    readout, *_ = random_case(1, 1.0, None)
    for store in (ExactStore(readout), SketchStore(readout, 4)):
        loss, gradient = store.cross_entropy(store.open(), torch.ones(readout.vocabulary, dtype=torch.float64))
        assert float(loss) == 0
        assert not gradient.any()


def test_forbidden_tokens_stay_forbidden_and_finite() -> None:
    readout, states, labels, last = random_case(2, 1.0, None, dtype=torch.float32)
    store = SketchStore(readout, 8)
    slot = filled(store, readout, states, labels)
    logits = readout.logits(last[None])
    logits[0, :5] = -torch.inf
    context = [lambda shift: store.cross_entropy(slot, shift)]
    corrected = reflect(readout, context, logits, torch.tensor([0.6]), SRGenConfig())
    assert corrected.logits[0, :5].isneginf().all()
    assert corrected.logits[0, 5:].isfinite().all()
    assert corrected.delta.isfinite().all()


@pytest.mark.parametrize("vocabulary", [64, 61])
def test_a_half_precision_head_loses_almost_nothing(vocabulary: int) -> None:
    """Rows are split into two half-precision parts, so the product is as good as with a float32 copy of W."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(vocabulary, 96, generator=generator).bfloat16()
    sizes = torch.tensor([[1e-6], [1.0], [50.0]])
    for product, transposed, length in ((by_rows, matrix, vocabulary), (by_columns, matrix.T, 96)):
        rows = torch.randn(3, length, generator=generator) * sizes
        expected = rows.double() @ transposed.double()
        error = (product(rows, matrix) - expected).norm(dim=1) / expected.norm(dim=1)
        assert error.max() < 2e-5


def test_slots_and_pages_are_reused() -> None:
    readout, states, labels, _ = random_case(4, 1.0, None)
    store = SketchStore(readout, 4)
    first = filled(store, readout, states, labels)
    kept = filled(store, readout, states, labels)
    shift = torch.randn(readout.vocabulary, dtype=torch.float64)
    before = store.cross_entropy(kept, shift)
    store.close(first)
    again = filled(store, readout, states[:10], labels[:10])
    assert again == first
    fresh = SketchStore(readout, 4)
    torch.testing.assert_close(store.cross_entropy(kept, shift), before)
    expected = fresh.cross_entropy(filled(fresh, readout, states[:10], labels[:10]), shift)
    torch.testing.assert_close(store.cross_entropy(again, shift), expected)

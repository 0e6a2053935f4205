"""Entropies of rows against float64, and the adaptive threshold against the standard library's statistics."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srgen import SRGenConfig
from srgen.method.entropy import EntropyMonitor, softmax


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([0.0, 0.1, 3.0, 30.0]),
    offset=st.sampled_from([-50.0, 0.0, 50.0]),
    temperature=st.floats(0.25, 2.0, width=32),
)
def test_entropies_are_those_in_float64(seed: int, scale: float, offset: float, temperature: float) -> None:
    """Rows of a real vocabulary's size, far from zero, with forbidden tokens."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 50_000, generator=generator) * scale + offset
    logits[1, ::7] = -torch.inf
    logits[2, 1:] = -torch.inf
    found = softmax(logits, torch.full((3, 1), temperature))
    exact = torch.distributions.Categorical(logits=logits.double() / temperature)
    torch.testing.assert_close(found.entropies.double(), exact.entropy(), atol=5e-6, rtol=1e-6)
    torch.testing.assert_close(found.probabilities.double(), exact.probs, atol=1e-6, rtol=1e-4)
    assert found.entropies[2] == 0


@given(
    values=st.lists(st.floats(0, 11), min_size=5, max_size=12),
    factor=st.floats(0, 5),
)
def test_the_threshold_is_mean_and_sample_deviation(values: list[float], factor: float) -> None:
    """METHOD: mean + K * max(std, minimal_std), at least minimal_threshold, over the last N entropies."""
    config = SRGenConfig(adaptive_entropy_N=5, adaptive_entropy_K=factor)
    monitor = EntropyMonitor(config)
    for seen, value in enumerate(values):
        if seen < 5:
            assert monitor.threshold() == config.entropy_threshold
        monitor.observe(value)
    last = values[-5:]
    spread = max(statistics.stdev(last), config.minimal_std)
    expected = max(statistics.mean(last) + factor * spread, config.minimal_threshold)
    assert math.isclose(monitor.threshold(), expected, rel_tol=1e-9, abs_tol=1e-9)


def test_a_row_without_a_possible_token_has_no_entropy() -> None:
    """It is nan, which no threshold is below: nothing triggers on it."""
    found = softmax(torch.full((1, 10), -torch.inf)).entropies.item()
    assert math.isnan(found)
    assert not found > -math.inf


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rows_are_taken_in_float32(dtype: torch.dtype) -> None:
    logits = torch.linspace(-8, 8, 1000, dtype=dtype)[None]
    found = softmax(logits, 0.6)
    assert found.entropies.dtype == torch.float32
    exact = torch.distributions.Categorical(logits=logits.double() / 0.6).entropy()
    torch.testing.assert_close(found.entropies.double(), exact, atol=5e-6, rtol=1e-6)

"""The largest logits of rows: by groups they are those of a plain sort."""

from __future__ import annotations

import torch
from hypothesis import example, given
from hypothesis import strategies as st

from srgen.method.rows import FEWEST_GROUPS, GROUP, largest, likeliest, peaks_of


@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 20),
    beyond=st.integers(0, 3 * GROUP),
    levels=st.sampled_from([2, 30, 10**6]),
    forbidden=st.floats(0.0, 0.99),
)
def test_grouped_as_a_plain_sort(seed: int, count: int, beyond: int, levels: int, forbidden: float) -> None:
    """Ties, forbidden tokens and vocabularies that are no multiple of a group included."""
    generator = torch.Generator().manual_seed(seed)
    vocabulary = FEWEST_GROUPS * count * GROUP + beyond
    logits = torch.randint(levels, (3, vocabulary), generator=generator).float()
    logits[torch.rand(3, vocabulary, generator=generator) < forbidden] = -torch.inf
    top = largest(logits, count)
    assert torch.equal(top.values, logits.sort(dim=1, descending=True).values[:, :count])
    assert torch.equal(logits.gather(1, top.ids), top.values)
    assert all(len(set(ids)) == count for ids in top.ids.tolist())
    peaks = peaks_of(logits)
    assert torch.equal(largest(logits, count, peaks).ids, top.ids)
    # Of other numbers in the same order, as probabilities are.
    assert torch.equal(largest(logits.atan(), count, peaks).values, logits.atan().gather(1, top.ids))


@given(
    seed=st.integers(0, 10**6),
    vocabulary=st.integers(1, 200),
    levels=st.sampled_from([2, 30, 10**6]),
    forbidden=st.floats(0.0, 1.0),
    broken=st.booleans(),
)
@example(seed=192, vocabulary=192, levels=30, forbidden=0.625, broken=True)
def test_the_likeliest_by_groups_is_the_argmax(
    seed: int, vocabulary: int, levels: int, forbidden: float, broken: bool
) -> None:
    """The lowest of ids that share the largest logit, as a plain argmax says it."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randint(levels, (3, vocabulary), generator=generator).float()
    logits[torch.rand(3, vocabulary, generator=generator) < forbidden] = -torch.inf
    if broken:
        logits[1, vocabulary // 2] = torch.nan
    peaks = peaks_of(logits)
    assert torch.equal(likeliest(logits, peaks), logits.argmax(1))
    if peaks is not None:
        torch.testing.assert_close(peaks.amax(1), logits.amax(1), equal_nan=True)


def test_a_logit_that_is_no_number_comes_first() -> None:
    """The engine ends a row by it."""
    logits = torch.randn(2, 5003)
    logits[1, 4999] = torch.nan
    top = largest(logits, 64)
    assert top.values[1, 0].isnan() and not top.values[0].isnan().any()
    assert top.ids[1, 0] == 4999


def test_never_more_than_there_are() -> None:
    """A vocabulary smaller than what is wanted is sorted whole."""
    assert largest(torch.randn(2, 7), 64).ids.sort(dim=1).values.tolist() == [list(range(7))] * 2

"""The largest logits of rows: by groups they are those of a plain sort."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from srgen.method.rows import FEWEST_GROUPS, GROUP, largest


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

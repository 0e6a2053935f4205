"""Contexts of many samples in one store: rows that wait, pages that interleave, samples that come and go."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srgen.method import paging
from srgen.method.context import ContextStore, ExactStore, SketchStore
from srgen.method.readout import Readout
from srgen.method.rows import Rows, largest

VOCABULARY, HIDDEN, TOP = 40, 6, 5
SMALL = {"PAGE": 4, "CPU_CHUNK": 7 * VOCABULARY}
"""Seven rows wait at most, so that chunks and pages end in the middle of everything."""

OPERATIONS = st.lists(
    st.tuples(
        # Samples that get so many rows in one call, and whether the driver knows their largest logits.
        st.lists(st.integers(0, 3), min_size=1, max_size=9),
        st.booleans(),
        # A sample that is looked at, and one that ends, if any.
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 3),
    ),
    max_size=12,
)


def head() -> Readout:
    generator = torch.Generator().manual_seed(0)
    return Readout(torch.randn(VOCABULARY, HIDDEN, generator=generator, dtype=torch.float64), cap=8.0)


def store_of(kind: str, readout: Readout) -> ContextStore:
    return ExactStore(readout) if kind == "exact" else SketchStore(readout, TOP)


@pytest.mark.parametrize("kind", ["exact", "sketch"])
@settings(max_examples=60, deadline=None)
@given(operations=OPERATIONS, seed=st.integers(0, 2**31))
def test_a_sample_sees_its_own_rows_only(kind: str, operations: list, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    readout = head()
    shift = torch.randn(VOCABULARY, generator=generator, dtype=torch.float64) / 4
    with patch.multiple(paging, **SMALL):
        store = store_of(kind, readout)
        slots = [store.open() for _ in range(4)]
        hidden: list[list[torch.Tensor]] = [[] for _ in slots]
        labels: list[list[int]] = [[] for _ in slots]

        def check(sample: int) -> None:
            alone = store_of(kind, readout)
            slot = alone.open()
            if hidden[sample]:
                rows = torch.stack(hidden[sample])
                known = Rows(rows, readout.logits(rows))
                alone.append([slot] * len(rows), torch.tensor(labels[sample]), known)
            found = store.cross_entropy(slots[sample], shift)
            torch.testing.assert_close(found, alone.cross_entropy(slot, shift), atol=1e-9, rtol=1e-9)

        for appended, topped, seen, ended in operations:
            rows = torch.randn(len(appended), HIDDEN, generator=generator, dtype=torch.float64)
            chosen = torch.randint(VOCABULARY, (len(appended),), generator=generator)
            logits = readout.logits(rows)
            top = largest(logits, TOP + 2) if topped else None
            store.append([slots[sample] for sample in appended], chosen, Rows(rows, logits, top))
            for row, sample in enumerate(appended):
                hidden[sample].append(rows[row])
                labels[sample].append(int(chosen[row]))
            if seen is not None:
                check(seen)
            if ended is not None:
                store.close(slots[ended])
                hidden[ended], labels[ended] = [], []
                slots[ended] = store.open()
        for sample in range(4):
            check(sample)


def test_rows_of_a_sample_that_ended_cost_nothing() -> None:
    readout = head()
    store = SketchStore(readout, TOP)
    ended, kept = store.open(), store.open()
    rows = torch.randn(6, HIDDEN, dtype=torch.float64)
    store.append([ended, kept] * 3, torch.arange(6), Rows(rows, readout.logits(rows)))
    before = store.nbytes
    store.close(ended)
    with patch("srgen.method.context.largest", wraps=largest) as sketched:
        store.cross_entropy(kept, torch.zeros(VOCABULARY, dtype=torch.float64))
    assert [len(call.args[0]) for call in sketched.call_args_list] == [3]
    assert store.nbytes > before

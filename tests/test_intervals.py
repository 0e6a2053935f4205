"""The intervals and tests against simulation, enumeration, scipy and published examples."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluators.analysis.bounded_mean import mean_covers, mean_interval
from evaluators.analysis.gamma_sums import probability_not_positive
from evaluators.analysis.paired import equivalence_p, paired_estimate, shift_tests
from evaluators.analysis.sign_flips import sign_flip_tails, two_sided
from scripts.simulate_intervals import Cell, SingleCell, interval_covers, line, paired_cells, single_cells, single_line

REPETITIONS = 1000


@lru_cache
def cells() -> list[Cell]:
    return list(paired_cells(REPETITIONS))


@lru_cache
def runs() -> list[SingleCell]:
    return list(single_cells(REPETITIONS))


def test_simulated_differences_are_covered_and_seldom_found_where_there_are_none() -> None:
    print("\n".join(map(line, cells())))
    assert min(cell.coverage for cell in cells()) >= 93
    assert max(cell.coverage for cell in cells() if cell.differ >= 10) <= 98.5 + margin(98.5)
    assert max(cell.rejections for cell in cells() if cell.effect == 0) <= 5 + margin(5)


def margin(percent: float) -> float:
    """Two and a half standard errors of a simulated percentage."""
    return 2.5 * math.sqrt(percent * (100 - percent) / REPETITIONS)


def test_simulated_intervals_never_contradict_their_p_values() -> None:
    for cell in cells():
        tests = shift_tests(cell.differences[:: max(1, len(cell.differences) // 12)])
        low, high = tests.intervals()
        assert (((low > 0) | (high < 0)) == (tests.p <= 0.05)).all()
        assert (low < high).all()
        inside = (low + 1e-6 < cell.truth) & (cell.truth < high - 1e-6)
        outside = (cell.truth < low - 1e-6) | (high + 1e-6 < cell.truth)
        covers = tests.covers(np.full(len(low), cell.truth))
        assert (covers | ~inside).all()
        assert (~covers | ~outside).all()

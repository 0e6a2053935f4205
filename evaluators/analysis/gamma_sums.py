"""Tail probabilities of weighted sums of gamma variables, which decide every interval of a mean of bounded values.

Means under Dirichlet weights are such sums: weights D ~ Dirichlet(n) are gamma variables over their total, hence
P(sum D_i x_i <= c) = P(sum Gamma(n_i) (x_i - c) <= 0).
"""

from __future__ import annotations

import math

import numpy as np

from evaluators.analysis.metrics import FloatArray

_STEP = 0.12
_MOST_NODES = 60
_MANY = 16.0
"""Gamma variables of like weight that let the integrand fall quickly."""
_SMALLEST = 1e-14
_STEPS = 12
_CHUNK = 100_000
"""Complex numbers held at once."""


def probability_not_positive(scales: FloatArray, shapes: FloatArray) -> FloatArray:
    """P(sum_v scales[r, v] Gamma(shapes[r, v]) <= 0) of every row [R], from arrays [R, V]; a shape of 0 counts nothing.

    The inversion integral of the moment generating function, along a line near its saddle point (Daniels 1987), by the
    trapezoidal rule: correct to about 1e-9 of the smaller tail.
    """
    means = (scales * shapes).sum(axis=1)
    mirrored = means < 0
    scales = np.where(shapes > 0, np.where(mirrored[:, None], -scales, scales), 0.0)
    lowest = scales.min(axis=1)
    tails = np.where(np.abs(scales).max(axis=1) < _SMALLEST, 1.0, 0.0)  # of P(sum <= 0), for sums of positive mean
    mixed = lowest < -_SMALLEST
    if mixed.any():
        tails[mixed] = _lower_tails(scales[mixed], shapes[mixed], lowest[mixed])
    nothing = tails == 1.0
    return np.asarray(np.where(mirrored & ~nothing, 1 - tails, tails))


def _lower_tails(scales: FloatArray, shapes: FloatArray, lowest: FloatArray) -> FloatArray:
    """P(sum <= 0) of rows with mean >= 0 and a negative scale."""
    edge = 1 / lowest  # the generating function exists to the right of it
    point = _saddle_points(scales, shapes, edge)
    width = _widths(scales, shapes, point)
    point = np.minimum(point, -0.7 * np.minimum(width, -0.8 * edge))  # at a distance from the pole at 0
    width = _widths(scales, shapes, point)
    squares = (scales / (1 - scales * point[:, None])) ** 2
    weight = (shapes * squares).sum(axis=1) ** 2 / (shapes * squares**2).sum(axis=1)  # variables that matter
    tails = np.empty(len(scales))
    for rows, nodes in ((weight < _MANY, _nodes(1.0)), (weight >= _MANY, _nodes(_MANY))):
        tails[rows] = _integral(scales[rows], shapes[rows], point[rows], width[rows], nodes)
    return tails


def _integral(
    scales: FloatArray, shapes: FloatArray, point: FloatArray, width: FloatArray, nodes: FloatArray
) -> FloatArray:
    total = np.zeros(len(scales))
    together = max(1, _CHUNK // max(1, scales.size))
    for start in range(0, len(nodes), together):
        node = nodes[start : start + together, None]
        z = point + 1j * width * np.sinh(node)
        logarithm = -(shapes * np.log(1 - scales * z[:, :, None])).sum(axis=2)
        total -= (np.real(np.exp(logarithm) / z) * width * np.cosh(node)).sum(axis=0)
    return total * _STEP / np.pi


def _nodes(weight: float) -> FloatArray:
    """Nodes up to where the integrand, about (1 + sinh(u)^2 / weight)^(-weight / 2), is below 1e-10."""
    end = np.arcsinh(math.sqrt(weight * math.expm1(20 * math.log(10) / weight)))
    return np.asarray((np.arange(min(_MOST_NODES, math.ceil(end / _STEP))) + 0.5) * _STEP)


def _saddle_points(scales: FloatArray, shapes: FloatArray, edge: FloatArray) -> FloatArray:
    """Where the derivative of the logarithm of the generating function is 0, between `edge` and 0 [R]."""
    left, right = edge * (1 - 1e-9), np.zeros(len(edge))
    point = edge / 2
    for _ in range(_STEPS):
        ratio = scales / (1 - scales * point[:, None])
        slope, curvature = (shapes * ratio).sum(axis=1), (shapes * ratio**2).sum(axis=1)
        left, right = np.where(slope > 0, left, point), np.where(slope > 0, point, right)
        newton = point - slope / curvature
        point = np.where((newton > left) & (newton < right), newton, (left + right) / 2)
    return np.asarray(point)


def _widths(scales: FloatArray, shapes: FloatArray, point: FloatArray) -> FloatArray:
    ratio = scales / (1 - scales * point[:, None])
    return np.asarray(1 / np.sqrt((shapes * ratio**2).sum(axis=1)))

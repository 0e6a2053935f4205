"""From LaTeX to sympy. No text is evaluated: the parser builds the tree from tokens."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

import sympy
import sympy.physics.units  # its own import evaluates the names of units, so it comes before the refusal below
from latex2sympy2_extended import NormalizationConfig, latex2sympy
from latex2sympy2_extended.latex2sympy2 import ConversionConfig
from sympy.parsing import sympy_parser

from evaluators.grading.algebra.clean import ROW
from evaluators.grading.symbolic.bounds import is_bounded

_MAX_NODES = 200
_MAX_POWER_DIGITS = 3_000
"""Decimal digits of a power of numbers."""
_MAX_ARGUMENT = 2_000
"""Arguments of factorials and binomials, and terms of a finite series."""
_NORMALISED = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="none", equations=False
)
_CONVERSION = ConversionConfig(lowercase_symbols=False, interpret_contains_as_eq=False)


_SPACED_COMMAND = re.compile(r"(\\[A-Za-z]+) +(?=[{_^(\[])")
_ONE = r"(?:\{([^{}]*)\}|([0-9A-Za-z]|\\[A-Za-z]+))"
_BARE_FRACTION = re.compile(rf"\\frac ?{_ONE} ?{_ONE}")
_BARE_ROOT = re.compile(r"\\sqrt ?([0-9A-Za-z]|\\(?!frac)[A-Za-z]+)")


_LITERAL = re.compile(r"(-?\d+)?(?:\.(\d*))?(?:/(\d+))?")
_FACTOR = re.compile(r"(?<![A-Za-z\\])([a-eijk-z])\(")
_BARE_INDEX = re.compile(r"([_^]) ?([0-9A-Za-z])")


def _literal(text: str, *_: object, **__: object) -> Any:
    """The number that `12`, `0.5` or `3/2` writes down, built from its digits. Raises ValueError for any other text."""
    match = _LITERAL.fullmatch(text)
    if match is None:
        raise ValueError("the grader evaluates no text")
    whole, decimals, below = match.group(1) or "0", match.group(2) or "", match.group(3) or "1"
    return sympy.Rational(int(whole + decimals), 10 ** len(decimals) * int(below))


def _number(kind: type, *given: Any) -> Any:
    return _literal(given[0]) if len(given) == 1 and isinstance(given[0], str) else _number_of_sympy(kind, *given)


_number_of_sympy = sympy.Number.__new__
sympy.Number.__new__ = _number
sympy_parser.parse_expr = _literal
sympy_parser.eval_expr = _literal
"""sympy hands every string to eval. This module is loaded in grading processes only, and there the strings that sympy's
tables and the parser's literals are made of are built from their digits, and any other is an error."""


@lru_cache(maxsize=512)
def read(text: str) -> Any:
    """The sympy object of a cleaned answer, None where it is not read or too large to be worked with."""
    if not is_bounded(text):
        return None
    try:
        found = latex2sympy(_spelled(text), normalization_config=_NORMALISED, conversion_config=_CONVERSION)
    except Exception:  # whatever a parser of foreign text may raise, it has not read it
        return None
    is_object = isinstance(found, sympy.Basic | sympy.MatrixBase)
    return found if is_object and _is_moderate(found) else None


def _spelled(text: str) -> str:
    """The spelling that the library's grammar knows: no space behind a command, braces around what is divided."""
    text = _SPACED_COMMAND.sub(r"\1", text.replace(ROW, r"\\"))
    text = _FACTOR.sub(r"\1 \\cdot (", text)
    text = _BARE_ROOT.sub(r"\\sqrt{\1}", text)
    text = _BARE_INDEX.sub(r"\1{\2}", text)
    return _BARE_FRACTION.sub(lambda m: rf"\frac{{{m[1] or m[2]}}}{{{m[3] or m[4]}}}", text)


def _is_moderate(found: Any) -> bool:
    nodes = list(sympy.preorder_traversal(found)) if isinstance(found, sympy.Basic) else list(found)
    return len(nodes) <= _MAX_NODES and all(_is_small(node) for node in nodes)


def _is_small(node: Any) -> bool:
    if isinstance(node, sympy.Pow) and node.exp.is_number and node.base.is_number:
        if any(arg.has(sympy.Pow, sympy.factorial) for arg in node.exp.args):
            return False
        size = abs(float(node.exp)) * abs(math.log10(max(abs(complex(node.base)), 1e-300)))
        return size <= _MAX_POWER_DIGITS
    if isinstance(node, sympy.factorial | sympy.binomial | sympy.gamma):
        numbers = [arg for arg in node.args if arg.is_number]
        return all(not number.has(sympy.Pow) and abs(float(number)) <= _MAX_ARGUMENT for number in numbers)
    if isinstance(node, sympy.Sum | sympy.Product):
        return all(_is_short(limits) for limits in node.limits)
    return True


def _is_short(limits: Any) -> bool:
    """Whether a series has few terms or is infinite or symbolic, which needs a formula."""
    if len(limits) != 3:
        return False
    length = limits[2] - limits[1]
    return not (length.is_number and length.is_finite) or bool(length <= _MAX_ARGUMENT)

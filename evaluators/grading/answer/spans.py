"""Formulas and numbers in running text."""

from __future__ import annotations

import re

from evaluators.grading.algebra.numerals import SCALES

MATH = re.compile(r"\\\[(.+?)\\\]|\\\((.+?)\\\)|\$\$(.+?)\$\$|(?<![\\$])\$((?:\\.|[^$\n\\])+?)\$", re.DOTALL)
NUMBER = re.compile(
    r"[-−]?\$?\s?(?:\d{1,3}(?:,\d{3})+|\d+)(?:[.,]\d+)?(?:\s*/\s*\d+)?(?:[eE][+-]?\d+)?(?:\s?%)?"
    rf"(?:\s(?:{'|'.join(SCALES)})\b)*|[-−]?\.\d+"
)
CURRENCY = re.compile(
    r"(?<!\\)\$(?=\s?\d[\d,.]*(?:\s|[.,;!?)]|$))(?![^$\n]{0,80}\\[^$\n]{0,80}\$)(?![^$\n]{1,80}\$(?!\s?\d))"
)
"""A dollar sign before an amount, rather than one that opens a formula."""
_VALUE = re.compile(r"^(?:(?!\\(?:leq?|geq?|lt|gt|in|approx|equiv)(?![A-Za-z]))[^=<>])*$", re.DOTALL)
_NAMED_VALUE = re.compile(r"^\s*\\?[A-Za-z]+(?:_\{?\w+\}?)?(?:\([A-Za-z0-9]{1,3}\))?\s*=[^=<>]*$", re.DOTALL)
_INEQUALITY = re.compile(r"^(?=.*(?:[<>]|\\(?:leq?|geq?|lt|gt|neq?)(?![A-Za-z])))[^=]*$", re.DOTALL)
_JOIN = re.compile(r"\s*(?:,|;|,?\s*\b(?:and|or)\b)\s*")


def inside(match: re.Match[str]) -> str:
    """A formula without its delimiters."""
    return next(group for group in match.groups() if group is not None).strip()


def math_list(text: str, first: re.Match[str]) -> str:
    """`$5$ or $6$` is a list; `$5$ because ...` is 5."""
    contents, end = [inside(first)], first.end()
    while (join := _JOIN.match(text, end)) is not None and (following := MATH.match(text, join.end())) is not None:
        contents.append(inside(following))
        end = following.end()
    if len(contents) > 1:
        return _listed(contents)
    tail = re.match(rf"\s*(\\?%|percent\b|(?:{'|'.join(SCALES)})\b)", text[end:])
    return contents[0] + (f" {tail.group(1)}" if tail is not None else "")


def last_group(text: str) -> str | None:
    """The last formulas that are listed side by side, None where there are none."""
    spans = list(MATH.finditer(text))
    if not spans:
        return None
    first = len(spans) - 1
    while first > 0 and _JOIN.fullmatch(text[spans[first - 1].end() : spans[first].start()]):
        first -= 1
    return _listed([inside(span) for span in spans[first:]])


def _listed(formulas: list[str]) -> str:
    """Formulas side by side as one list; where some only lead to the others ("$r = x - 1 = 9$, or $9$"), the last."""
    items = [formula.rstrip(" .,;") for formula in formulas]
    alike = any(all(form.search(item) for item in items) for form in (_VALUE, _NAMED_VALUE, _INEQUALITY))
    return ", ".join(items) if alike else items[-1]

"""Notations that are one string rewriting away from standard LaTeX, rewritten before anything is parsed."""

from __future__ import annotations

import re

from evaluators.grading.algebra.limits import MAX_ANSWER

_SHORT = r"(?:\{\s*([^{}]{1,30}?)\s*\}|([0-9A-Za-z]))"
_CHOOSE_GROUP = re.compile(r"\{([^{}]{1,40}?)\\choose\b([^{}]{1,40}?)\}")
_CHOOSE_WHOLE = re.compile(r"([^{}]{1,40}?)\\choose\b\s*([^{}]{1,40})")
_CHOOSE_BRACED = re.compile(r"\{([^{}]{1,40})\}\s*\\choose\s*\{([^{}]{1,40})\}")
_SELECTED = re.compile(rf"(?:\{{\s*\}}\s*)?[_^]{_SHORT}\s*([CP])\s*_\s*{_SHORT}")
_SELECTED_PLAIN = re.compile(r"(?<![0-9A-Za-z_.])(\d{1,4})([CP])(\d{1,4})(?![0-9A-Za-z_.])")
_SELECTED_CALL = re.compile(r"(?<![A-Za-z\\])C\s*\(\s*(\d{1,5})\s*,\s*(\d{1,5})\s*\)")
_SELECTED_RAISED = re.compile(rf"(?<![A-Za-z\\}}])C\s*(?:_\s*{_SHORT}\s*\^\s*{_SHORT})(?![A-Za-z])")
_UNIT_VECTOR = re.compile(
    r"\\(?:mathbf|boldsymbol|bm|hat|widehat|vec|textbf)\s*(?:\{\s*\\?(?:(i|j)(?:math)?|(k))\s*\}|\s\\?(?:(i|j)(?:math)?|(k))\b)"
)
_OPEN_INTERVAL = re.compile(r"(?:(?<=^)|(?<=[\s=:])|(?<=cup))\](?=[^\[\]]{1,100},[^\[\]]{1,100}[\[\]])")
_HALF_OPEN = re.compile(r"([(\[][^()\[\]]{1,100},[^()\[\]]{1,100})\[(?=\s*(?:$|\\cup|\\cap|\\setminus|,|\.))")
_BASE = re.compile(r"\(\s*([0-9][0-9A-Z]*)\s*\)\s*(?=_\s*(?:\{|\d))")
_BASE_LETTERS = re.compile(
    r"\\(?:text|mathrm)\s*\{\s*((?=[0-9A-F]*\d)[0-9A-F]+|[A-F]{2,})\s*\}\s*_\s*\{?\s*(1[1-6])\s*\}?"
)
_MODULUS = re.compile(r"\(\s*(?:\\text\s*\{\s*)?\\?mod\b\s*\}?\s*([^()]{1,40}?)\)|\\p?mod\s*\{\s*([^{}]{1,40}?)\s*\}")


_BEFORE_REMARK = (
    r"(?:[\s,;(]|\\text\s*\{\s*,?\s*(?:where|for|with|and)?(?: any| all| some)?(?: integers?)?\s*\}"
    r"|\b(?:where|for|with)\b|\\(?:quad|qquad|,|;| ))*(?:\\forall\s*)?"
)
_INTEGERS = (
    r"(?:\\in\s*\\(?:mathbb|Bbb)\s*\{?\s*Z\s*\}?|\\in\s*Z\b|is an(?:y| arbitrary)? integer"
    r"|\\text\s*\{\s*(?:is |are )?(?:an? )?(?:any )?(?:arbitrary )?integers?\s*\})"
)
_INTEGER_REMARK = re.compile(rf"{_BEFORE_REMARK}\b([nkmlj])\s*{_INTEGERS}\s*\)?\s*\.?\s*$")
_FOR_INTEGER = re.compile(
    r"(?:[\s,;(]|\\quad)*\\text\s*\{\s*,?\s*(?:where|for)(?: any| all| some| an?)? integers?\s*\}\s*([nkmlj])\s*\)?\s*$"
)


def rewrite(text: str) -> str:
    r"""`9 \choose 4`, `{}_9C_4`, `]2,3[`, `(1010)_2`, `\mathbf{i}` and their like in the spelling that is parsed."""
    if len(text) > MAX_ANSWER:
        return text
    if "choose" in text:
        text = _CHOOSE_BRACED.sub(r"\\binom{\1}{\2}", text)
        text = _CHOOSE_GROUP.sub(r"\\binom{\1}{\2}", text)
        if (whole := _CHOOSE_WHOLE.fullmatch(text)) is not None:
            text = rf"\binom{{{whole.group(1)}}}{{{whole.group(2)}}}"
    if "C" in text or "P" in text:
        text = _SELECTED.sub(_selected, text)
        text = _SELECTED_RAISED.sub(_selected_raised, text)
        text = _SELECTED_PLAIN.sub(lambda m: _selection(m.group(2), m.group(1), m.group(3)), text)
        text = _SELECTED_CALL.sub(_selected_call, text)
    text = _UNIT_VECTOR.sub(lambda m: rf"\hat{{{next(g for g in m.groups() if g)}}}", text)
    text = _OPEN_INTERVAL.sub("(", re.sub(r"\\left\s*\]", " (", re.sub(r"\\right\s*\[", ") ", text)))
    text = _HALF_OPEN.sub(r"\1)", text)
    text = _BASE_LETTERS.sub(r"0\1_{\2}", _BASE.sub(r"\1", text))
    text = text.replace(r"m\angle", r"\angle").replace(r"m \angle", r"\angle")
    text = _FOR_INTEGER.sub(r" , \1 \\in \\mathbb{Z}", _INTEGER_REMARK.sub(r" , \1 \\in \\mathbb{Z}", text))
    return _MODULUS.sub(lambda m: rf"\pmod{{{m.group(1) or m.group(2)}}}", text)


def _selected(match: re.Match[str]) -> str:
    above, below = match.group(1) or match.group(2), match.group(4) or match.group(5)
    return _selection(match.group(3), above, below)


def _selected_raised(match: re.Match[str]) -> str:
    """`C_9^4`: four of nine; where the numbers say the other order, the other."""
    lower, upper = match.group(1) or match.group(2), match.group(3) or match.group(4)
    if not (lower.isdigit() and upper.isdigit()) or int(lower) < int(upper):
        return match.group()
    return _selection("C", lower, upper)


def _selected_call(match: re.Match[str]) -> str:
    above, below = match.groups()
    return _selection("C", above, below) if int(above) >= int(below) else match.group()


def _selection(letter: str, above: str, below: str) -> str:
    return rf"\binom{{{above}}}{{{below}}}" if letter == "C" else rf"\frac{{({above})!}}{{({above}-({below}))!}}"

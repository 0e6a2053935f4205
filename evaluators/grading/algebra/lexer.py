"""Tokens of a cleaned answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from evaluators.grading.algebra.clean import ROW
from evaluators.grading.algebra.limits import NotMathError
from evaluators.grading.algebra.words import PERCENT_WORDS, is_unit, normal_words

Kind = Literal["number", "letter", "command", "text", "symbol", "based", "end"]

FUNCTIONS = frozenset({
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc", "sinh",
    "cosh", "tanh", "coth", "sech", "csch", "arcsinh", "arccosh", "arctanh", "ln", "log", "lg", "exp", "sqrt",
    "cbrt", "max", "min", "gcd", "lcm", "det", "abs", "floor", "ceil",
})  # fmt: skip
_NAMED = FUNCTIONS | frozenset(
    [
        "pi",
        "theta",
        "alpha",
        "beta",
        "gamma",
        "delta",
        "lambda",
        "mu",
        "phi",
        "omega",
        "sigma",
        "infty",
        "cup",
        "cap",
        "frac",
        "pm",
    ]
)
_ALIASES = {
    "infinity": "infty",
    "inf": "infty",
    "oo": "infty",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "tg": "tan",
}
_SINGLE_LETTERS = re.compile(r"[\s(]*[A-Za-z][\s).]*(?:,\s*[A-Za-z][\s)]*)*")
_SHORT_WORDS = frozenset({
    "an", "is", "it", "of", "to", "no", "at", "on", "by", "in", "as", "be",
})  # fmt: skip
"""Words, not products, where another word follows."""
_LETTER_UNITS = frozenset("mgshL")
_JOINERS = frozenset({"and", "or"})
_TOKEN = re.compile(
    r"(?P<space>[ \t\n]+)"
    r"|(?P<based>\d[0-9A-Z]*_(?:\{\s*(?:\\text\s*\{\s*)?(?:\d+|[a-z]+)\s*\}?\s*\}|\d+|\\text\s*\{\s*[a-z]+\s*\}))"
    r"|(?P<number>\d+\.(?!\d)|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+(?![A-Za-z]))?)"
    r"|(?P<text>\\text\s*\{)"
    r"|(?P<command>\\[A-Za-z]+)"
    r"|(?P<escaped>\\[{}|])"
    r"|(?P<word>[A-Za-z]+)"
    rf"|(?P<symbol>[-+*/^_=<>()\[\]{{}}|,;:!%'&{ROW}])"
)
_BASE_WORDS = dict(
    zip(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "sixteen"],
        [*range(2, 13), 16],
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token; a number keeps its text, a based numeral is `digits_base`, words are normalised."""

    kind: Kind
    value: str
    spaced: bool = False
    """Whether a space stands before it."""


def tokens(text: str) -> list[Token]:
    """The tokens of a cleaned answer, closed by an `end`. Raises NotMathError at a character that is none."""
    found: list[Token] = []
    position, spaced = 0, False
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotMathError(f"no token at {text[position : position + 10]!r}")
        position = match.end()
        kind, value = match.lastgroup, match.group()
        if kind == "space":
            spaced = True
            continue
        if kind == "text":
            closing = _closing_brace(text, position)
            found += _text_tokens(text[position:closing], spaced, _follows_number(found))
            position = closing + 1
        elif kind == "word" and value.lower() in _SHORT_WORDS and re.match(" [A-Za-z]", text[position:]):
            found.append(Token("text", normal_words(value), True))
        elif kind == "word":
            found += _word_tokens(value, spaced, _follows_number(found))
        elif kind == "based":
            found.append(Token("based", _based(value), spaced))
        elif kind == "escaped":
            found.append(Token("command", value, spaced))
        elif kind == "command":
            found.append(Token("command", value[1:], spaced))
        else:
            found.append(Token("number" if kind == "number" else "symbol", value, spaced))
        spaced = False
    return [*found, Token("end", "")]


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for index in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise NotMathError("a text group is not closed")


def _text_tokens(content: str, spaced: bool, after_number: bool) -> list[Token]:  # noqa: PLR0911 -- one per reading
    """Text that is a number, letters or an operator name is mathematics; the rest is words."""
    stripped = content.strip()
    if after_number and stripped in _LETTER_UNITS:
        return [Token("text", stripped, spaced)]
    if _SINGLE_LETTERS.fullmatch(stripped) or not re.search(r"[A-Za-z]", stripped):
        return tokens(stripped.rstrip(". "))[:-1]
    if stripped[0].isdigit() or stripped[0] == ".":
        return tokens(stripped.rstrip(". "))[:-1]
    name = stripped.lower()
    if name in FUNCTIONS:
        return [Token("command", name, spaced)]
    if name in _JOINERS or name.strip(", ") in _JOINERS:
        return [Token("text", name.strip(", "), spaced)]
    if after_number and "/" in name:
        return [Token("text", "/".join(normal_words(part) for part in stripped.split("/")), spaced)]
    if name.startswith("("):
        return [Token("text", "(" + normal_words(stripped), True)]
    return [Token("text", normal_words(stripped), spaced)]


def _word_tokens(word: str, spaced: bool, after_number: bool) -> list[Token]:
    lower = word.lower()
    name = _ALIASES.get(lower, word)
    if name in _NAMED:
        return [Token("command", name, spaced)]
    if lower in _JOINERS or lower in PERCENT_WORDS:
        return [Token("text", lower, spaced)]
    if after_number and is_unit(word):
        return [Token("text", normal_words(word), spaced)]
    if word.isupper() and len(word) >= 3:
        return [Token("letter", word, spaced)]
    if len(word) <= 2 or (len(word) == 3 and not spaced and not _wordlike(word)) or _alphabetical(word):
        return [Token("letter", letter, spaced and index == 0) for index, letter in enumerate(word)]
    return [Token("text", normal_words(word), True)]


def _wordlike(word: str) -> bool:
    return word.lower() in {
        "odd",
        "yes",
        "no",
        "all",
        "red",
        "one",
        "two",
        "six",
        "ten",
        "dne",
        "the",
        "for",
        "not",
        "day",
    }


def _alphabetical(word: str) -> bool:
    """Runs like abcd are products of variables."""
    return all(ord(after) - ord(before) == 1 for before, after in pairwise(word))


def _follows_number(found: list[Token]) -> bool:
    return bool(found) and (found[-1].kind == "number" or found[-1].value in ("}", ")"))


def _based(value: str) -> str:
    digits, _, tail = value.partition("_")
    name = re.sub(r"\\text|[{}\s]", "", tail)
    base = int(name) if name.isdigit() else _BASE_WORDS.get(name)
    if base is None or not 2 <= base <= 36:
        raise NotMathError(f"no base: {tail}")
    return f"{digits}_{base}"

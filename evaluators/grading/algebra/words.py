"""Answers in words: normal forms of text, units and times of day."""

from __future__ import annotations

import re

_ARTICLES = frozenset({"the", "a", "an"})
_EMPTY = frozenset({
    "no solution", "no real solution", "none", "empty set", "no such number", "there are no solution",
    "no solution exist", "null set", "there is no solution", "no real number", "no value", "no number", "no such",
    "no root", "no real root",
})  # fmt: skip
_UNDEFINED = frozenset(
    ["undefined", "doe not exist", "dne", "not defined", "doesnt exist", "limit doe not exist", "diverge"]
)
_ALL_REALS = frozenset(["all real number", "all real", "real number", "all number", "all real value"])
NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
_UNITS = {
    "m": "meter", "metre": "meter", "cm": "centimeter", "centimetre": "centimeter", "mm": "millimeter",
    "millimetre": "millimeter", "km": "kilometer", "kilometre": "kilometer", "in": "inch", "inche": "inch",
    "ft": "foot", "feet": "foot", "yd": "yard", "mi": "mile", "g": "gram", "kg": "kilogram", "mg": "milligram",
    "lb": "pound", "lbs": "pound", "oz": "ounce", "s": "second", "sec": "second", "min": "minute", "h": "hour",
    "hr": "hour", "dollar": "dollar", "usd": "dollar", "cent": "cent", "day": "day", "week": "week",
    "month": "month", "year": "year", "yr": "year", "l": "liter", "litre": "liter", "ml": "milliliter",
    "degree": "degree", "deg": "degree", "rad": "radian", "radian": "radian", "euro": "euro", "meter": "meter",
    "centimeter": "centimeter", "millimeter": "millimeter", "kilometer": "kilometer", "inch": "inch",
    "foot": "foot", "yard": "yard", "mile": "mile", "gram": "gram", "kilogram": "kilogram",
    "milligram": "milligram", "pound": "pound", "ounce": "ounce", "second": "second", "minute": "minute",
    "hour": "hour", "liter": "liter", "milliliter": "milliliter", "mph": "mile/hour", "mile per hour": "mile/hour",
    "gallon": "gallon", "quart": "quart", "cup": "cup", "yuan": "yuan", "acre": "acre", "volt": "volt", "v": "volt",
    "watt": "watt", "w": "watt", "joule": "joule", "j": "joule", "n": "newton", "newton": "newton", "ohm": "ohm",
    "hz": "hertz", "hertz": "hertz", "k": "kelvin", "kelvin": "kelvin", "pa": "pascal", "mol": "mole",
    "mole": "mole",
}  # fmt: skip
PERCENT_WORDS = frozenset({"percent", "percentage", "pct", "per cent", "percentage point"})
_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?", re.UNICODE)
_POWER_OF_UNIT = re.compile(r"(?:(?P<shape>square|cubic|sq|cu) )?(?P<unit>[a-z ]+?)(?: ?\^(?P<power>\d))?")
_TIME = re.compile(
    r"^(?:at )?(\d{1,2})(?: ?[:.] ?([0-5]\d))? *(a|p) ?\.? ?m\b\.?(?: \w+)?$|^(\d{1,2}) ?: ?([0-5]\d)$", re.IGNORECASE
)


def normal_words(text: str) -> str:
    """Lower-case words, singular, without articles and punctuation; one spelling for 'no solution' and the like."""
    words = [w.replace("'", "") for w in _WORD.findall(text.lower())]
    kept = [_singular(w) for w in words if w not in _ARTICLES] or words
    phrase = " ".join(kept)
    if phrase in _EMPTY:
        return "empty"
    if phrase in _ALL_REALS:
        return "real line"
    return "undefined" if phrase in _UNDEFINED else phrase


def known_unit(phrase: str) -> tuple[str, int] | None:
    """(name, exponent) of a unit; None where the words are no unit that we know: such never make two answers differ."""
    match = _POWER_OF_UNIT.fullmatch(phrase)
    if match is None or match.group("unit") not in _UNITS:
        return None
    exponent = {"sq": 2, "cu": 3}.get((match.group("shape") or "")[:2], 1)
    return _UNITS[match.group("unit")], int(match.group("power") or exponent)


def is_unit(word: str) -> bool:
    """Whether a bare word behind a number is a unit rather than a product of variables."""
    return (len(word) >= 2 and word.lower() in _UNITS) or (_singular(word.lower()) in _UNITS and len(word) >= 3)


def time_of_day(text: str) -> tuple[int, int, str | None] | None:
    """(hour, minute, a or p or None) of '4:30 p.m.', '12:05', '9 am'; None for other text."""
    plain = re.sub(r"\\text|[{}\\]", " ", text)
    match = _TIME.match(re.sub(r"\s+", " ", plain).strip())
    if match is None:
        return None
    hour, minute = match.group(1) or match.group(4), match.group(2) or match.group(5) or "0"
    half = match.group(3)
    return int(hour), int(minute), half.lower() if half else None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word

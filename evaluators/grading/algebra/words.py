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
    "hour": "hour", "liter": "liter", "milliliter": "milliliter", "mph": "mile/hour", "kph": "kilometer/hour",
    "kmh": "kilometer/hour",
    "gallon": "gallon", "quart": "quart", "cup": "cup", "yuan": "yuan", "acre": "acre", "volt": "volt", "v": "volt",
    "watt": "watt", "w": "watt", "joule": "joule", "j": "joule", "n": "newton", "newton": "newton", "ohm": "ohm",
    "hz": "hertz", "hertz": "hertz", "k": "kelvin", "kelvin": "kelvin", "pa": "pascal", "mol": "mole",
    "mole": "mole",
}  # fmt: skip
PERCENT_WORDS = frozenset({"percent", "percentage", "pct", "per cent", "percentage point"})
_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?", re.UNICODE)
_POWER_OF_UNIT = re.compile(r"(?:(?P<shape>square|cubic|sq|cu) )?(?P<unit>[a-z ]+?)(?: ?\^(?P<power>\d))?")
_NAME = re.compile(
    r"(?:\\(?:triangle|square|angle|overline)\s*)?(?:\{\s*([A-Z]{2,})\s*\}|([A-Z]{2,}))|\\text\s*\{\s*([A-Z]{2,})\s*\}"
    r"|(?:\\text\s*\{\s*)?([A-Za-z]{2,3})\s*\}?"
)
_TWO_LETTER_WORDS = frozenset(
    ["am", "an", "as", "at", "be", "by", "do", "go", "he", "if", "in", "is", "it", "me", "my", "no", "of", "on", "or",
     "so", "to", "up", "us", "we", "oh", "ok"]
)  # fmt: skip
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


def known_unit(phrase: str) -> str | None:
    """One spelling of a unit (`kilometer/hour`, `meter^2`); None for words that are no unit that we know."""
    parts = [_known_part(part.strip()) for part in re.split(r"/|\bper\b", phrase)]
    return "/".join(part for part in parts if part is not None) if None not in parts else None


def _known_part(phrase: str) -> str | None:
    match = _POWER_OF_UNIT.fullmatch(phrase)
    if match is None or match.group("unit") not in _UNITS:
        return None
    exponent = {"sq": 2, "cu": 3}.get((match.group("shape") or "")[:2], 1)
    exponent = int(match.group("power") or exponent)
    return _UNITS[match.group("unit")] + (f"^{exponent}" if exponent != 1 else "")


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


def same_time(a: tuple[int, int, str | None], b: tuple[int, int, str | None]) -> bool:
    """Whether two times of day are the same, where one may leave open which half of the day or count to 24."""
    if a[2] is None or b[2] is None:
        given = a[2] or b[2]
        as_written = a[:2] == b[:2]
        return as_written or (given is not None and _of_day(a) == _of_day(b))
    return _of_day(a) == _of_day(b)


def _of_day(time: tuple[int, int, str | None]) -> tuple[int, int]:
    hour, minute, half = time
    return (hour % 12 + (12 if half == "p" else 0) if half is not None else hour % 24, minute)


def as_word(text: str) -> str | None:
    """The normal form of an answer that is one word or one name (`ABC`, `was`), None where it may be a product."""
    match = _NAME.fullmatch(text.strip())
    if match is None:
        return None
    word = next(group for group in match.groups() if group is not None)
    if word.isupper():
        return word.lower()
    lower = word.lower()
    if len(lower) == 2:
        return lower if lower in _TWO_LETTER_WORDS else None
    product = len(lower) <= 4 and (list(lower) == sorted(lower) or not set(lower) & set("aeiou"))
    return None if product or len(lower) > 3 else normal_words(word)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word

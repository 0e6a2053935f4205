"""Numbers in words: `twenty-four`, `two thirds`, `3 million`."""

from __future__ import annotations

from fractions import Fraction

_SMALL = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS = dict(
    zip(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], range(20, 100, 10), strict=True)
)
SCALES = {
    "dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
"""Words that multiply the number before them: part of the value, not a unit."""
_PARTS = {
    "half": 2, "halve": 2, "third": 3, "fourth": 4, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
NUMBER_WORD = "|".join(sorted([*_SMALL, *_TENS], key=len, reverse=True))
"""A pattern of the words that begin a number."""


def leading_number(words: list[str]) -> tuple[Fraction, int] | None:
    """(value, words used) of the number at the beginning of singular words, None where there is none."""
    total, group, used, last = 0, 0, 0, 10**15
    for index, word in enumerate(words):
        step = _SMALL.get(word, _TENS.get(word))
        if step is not None and step < last:
            group, last = group + step, 1 if step < 20 else 10
        elif word == "hundred" and 0 < group < 10:
            group, last = group * 100, 100
        elif word in SCALES and used and group:
            total, group, last = total + group * SCALES[word], 0, SCALES[word]
        elif word == "and" and used and words[index + 1 : index + 2] and words[index + 1] in {**_SMALL, **_TENS}:
            continue
        else:
            break
        used = index + 1
    if not used:
        return None
    value = Fraction(total + group)
    if used < len(words) and words[used] in _PARTS and value > 0:
        return value / _PARTS[words[used]], used + 1
    return value, used

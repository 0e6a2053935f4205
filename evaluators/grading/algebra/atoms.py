"""Literal numbers: decimals, repeating decimals, numerals in a base."""

from __future__ import annotations

from fractions import Fraction

from evaluators.grading.algebra.limits import MAX_DIGITS, NotMathError
from evaluators.grading.algebra.nodes import Based, Num


def number(text: str) -> Num:
    """The literal `12`, `.5`, `5.` or `6.02e23`. Raises NotMathError when it has too many digits."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 4:
        raise NotMathError("too many digits")
    whole, point, decimals = mantissa.partition(".")
    value = Fraction(int((whole + decimals) or "0"), 10 ** len(decimals))
    if exponent:
        value *= Fraction(10) ** int(exponent)
    return Num(value, len(decimals) if point and decimals and not exponent else None)


def repeating(text: str, period: str) -> Num:
    """The decimal `text` followed by `period` for ever: ("0.1", "6") is 1/6."""
    if "." not in text or not period.isdigit() or len(text) + len(period) > MAX_DIGITS:
        raise NotMathError("not a repeating decimal")
    start = number(text.rstrip(".") or "0").value
    places = len(text.partition(".")[2])
    return Num(start + Fraction(int(period), 10**places * (10 ** len(period) - 1)))


def continued(text: str) -> Num:
    """`0.333...`: the last digit goes on when it stands at least twice."""
    if "." not in text or len(text) < 4 or text[-1] != text[-2] or not text[-1].isdigit():
        raise NotMathError("an ellipsis that could be anything")
    return repeating(text, text[-1])


def repeating_last(decimal: Num) -> Num:
    """A decimal whose last digit goes on for ever: `0.8333 repeating`."""
    places = decimal.places or 0
    last = decimal.value * 10**places % 10
    return Num(decimal.value + Fraction(last, 9 * 10**places))


def based(text: str) -> Based:
    """The numeral `152A_11`. Raises NotMathError when a digit is not one of the base's."""
    digits, _, base = text.partition("_")
    try:
        return Based(int(digits[:MAX_DIGITS], int(base)), int(base))
    except ValueError:
        raise NotMathError(f"{digits} is no numeral in base {base}") from None

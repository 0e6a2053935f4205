"""What no answer may exceed, checked before any algebra, and the two ways in which an answer is not mathematics."""

MAX_ANSWER = 2_000
"""Characters of an answer that is parsed; longer ones are compared as strings."""
MAX_DEPTH = 40
"""Nested groups, roots and fractions."""
MAX_DIGITS = 1_000
"""Digits of a literal number."""
MAX_BITS = 120_000
"""Bits of an exact integer, about 36,000 digits: 2023! is exact, 2^{999999999} is not computed."""
MAX_LOG10 = 200_000
"""Decimal exponent of an approximate number."""
MAX_TERMS = 1_000
"""Terms of a finite sum or product."""


class NotMathError(ValueError):
    """The text does not parse as mathematics."""


class NoValueError(ValueError):
    """The expression has no value that may be computed: undefined, unbounded or not a number."""

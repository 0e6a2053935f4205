"""What the second reader is asked to read: formulas of a moderate size in commands that it reads right."""

from __future__ import annotations

import re
from functools import lru_cache

_MAX_TEXT = 400
"""Characters."""
_MAX_DIGITS = 60
"""Digits in a row."""
_MAX_DEPTH = 12
"""Nested braces and parentheses."""
_MAX_TOWER = 2
"""Exponents in exponents."""
_MAX_FUNCTIONS = 6
"""Functions such as sine: limits and integrals of more are beyond the time that it has."""
_FUNCTIONS = re.compile(r"\\(?:arc)?(?:sinh?|cosh?|tanh?|cot|sec|csc|ln|log|exp)(?![A-Za-z])")
_COMMANDS = frozenset({
    "frac", "sqrt", "int", "lim", "sum", "prod", "to", "infty", "le", "ge", "lt", "gt", "ne", "cdot", "times", "div",
    "pi", "theta", "alpha", "beta", "gamma", "lambda", "mu", "phi", "omega", "sigma", "sin", "cos", "tan", "cot",
    "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "ln", "exp", "begin", "end", "cup", "cap",
    "in", "mathbb", "gcd", "lcm", "binom", "lfloor", "rfloor", "lceil", "rceil", "lvert", "det", "max", "min", "ldots",
    "log", "pm",
})  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_ENVIRONMENTS = re.compile(r"\\(?:begin|end) ?\{(?!(?:p|b|v|small)?matrix\})")
_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{3,}")
_MISREAD = re.compile(
    r"'|\\\||\^ ?\{? ?(?:T|\*|\\circ|\\degree)|%|&nbsp;|[^\x00-\x7f]|\$|;|\\ldots|\\log(?! ?_)|!!"
    r"|[fghA-Z]\("
)
"""What is read as something else: primes, norms, transposes, degrees, applications, logarithms of an open base."""


@lru_cache(maxsize=4096)
def is_bounded(text: str) -> bool:
    """Whether a cleaned answer may be given to the second reader."""
    if not 0 < len(text) <= _MAX_TEXT or re.search(rf"\d{{{_MAX_DIGITS + 1}}}", text) or _MISREAD.search(text):
        return False
    if len(_FUNCTIONS.findall(text)) > _MAX_FUNCTIONS:
        return False
    if not set(_COMMAND.findall(text)) <= _COMMANDS or _ENVIRONMENTS.search(text):
        return False
    plain = _COMMAND.sub(" ", re.sub(r"\\(?:begin|end) ?\{\w+\}", " ", text))
    return _WORD.search(plain) is None and _depth(text) <= _MAX_DEPTH and _tower(text) <= _MAX_TOWER


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    return deepest


def _tower(text: str) -> int:
    """How many exponents stand in one another."""
    raised, opened, highest, previous = 0, [], 0, ""
    for character in text.replace(" ", ""):
        if character == "^":
            raised += 1
            highest = max(highest, raised)
        elif character == "{":
            opened.append(raised if previous != "^" else raised - 1)
        elif character == "}":
            raised = opened.pop() if opened else 0
        elif previous == "^":
            raised -= 1
        previous = character
    return highest

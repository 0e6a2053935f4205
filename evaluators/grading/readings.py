"""Every way in which an answer's text can be read: as trees of the exact reader."""

from __future__ import annotations

import re
from functools import lru_cache

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.algebra.labels import is_equation
from evaluators.grading.algebra.limits import MAX_ANSWER, NotMathError
from evaluators.grading.algebra.nodes import Node, Num, Quantity, Relation, variables
from evaluators.grading.algebra.numerals import NUMBER_WORD, leading_number
from evaluators.grading.algebra.parser import parse
from evaluators.grading.algebra.values import is_number, is_rounding_of
from evaluators.grading.algebra.words import known_unit

_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,]*\d)")
_SPACED = re.compile(r"^[^\d]{0,2}\d{1,3}(?: \d{3})+(?:\.\d+)?(?![\d/])")
_OPTION = re.compile(r"(?:\\text ?\{ ?)?\(([A-J])\)[ }]+[^ ^_]")
_DECIMAL_COMMA = re.compile(r"^-?(?:\d+|\d{1,3}(?:\.\d{3})+),\d{1,2}$")
_APPROXIMATION = re.compile(r"\\(?:approx|simeq|doteq)\b")
_ZERO_BELOW = re.compile(r"\\frac ?(\d)0(\d)(?!\d)")
_SLASH_PRODUCT = re.compile(r"(?<=[\w)}])\s?/\s?(\d{1,6}) ?([a-zA-Z](?:\^\{?\w+\}?)?|\\pi\b)(?![A-Za-z(])")
_UNIT = re.compile(
    r"(.*[\d)}!])\s?(?:\\text ?\{ ?)?"
    r"([A-Za-z]{1,3} ?(?:(?:\^ ?\{?\d\}?)? ?/ ?[A-Za-z]{1,4}(?: ?\^ ?\{?\d\}?)?))(?: ?\})?$"
)
_LETTER_UNIT = re.compile(r"(.*[\d)}])\s(m|s|g|h|L)(?: ?\^ ?\{?([23])\}?)?$")
_NUMBER_WORDS = re.compile(rf"(?:\\text ?\{{)?\s*(?:{NUMBER_WORD})(?![a-z])", re.IGNORECASE)
_REPEATING = re.compile(r"(-?\d*\.\d*?)\((\d+)\)$")


@lru_cache(maxsize=4096)
def readings(text: str, kind: AnswerKind) -> tuple[Node, ...]:
    """Every way in which a cleaned answer can be read; a comma may part a list or thousands."""
    if len(text) > MAX_ANSWER:
        return ()
    found: list[Node] = []
    for spelling in _spellings(text, kind):
        for node in _approximated(spelling) if _APPROXIMATION.search(spelling) else _parsed(spelling):
            named = _named_number(node) if kind in ("integer", "numeric") else node
            if named not in found:
                found.append(named)
    return (*found, *(node for node in (*_with_unit(text), *_in_words(text)) if node not in found))


def _parsed(text: str) -> list[Node]:
    try:
        return [parse(text)]
    except (NotMathError, RecursionError):
        return []


def _approximated(text: str) -> list[Node]:
    """`1/3 \\approx 0.33` is either of the two, `x \\approx 3.1` is 3.1; `3 \\approx 4` is nothing."""
    sides = [side.strip() for side in _APPROXIMATION.split(text)]
    nodes = [_parsed(side) for side in sides]
    if len(sides) > 2 or not all(nodes):
        return []
    (exact,), (rounded,) = nodes
    value = exact.sides[-1] if isinstance(exact, Relation) and is_equation(exact) else exact
    if variables(value):
        return [Relation((exact, rounded), ("=",))] if not isinstance(exact, Relation) else []
    if not is_rounding_of(rounded, value):
        return []
    return [exact, rounded] if is_number(rounded) else [exact]


def _named_number(node: Node) -> Node:
    """Where a number is asked for, `m + n = 204` gives it."""
    if not isinstance(node, Relation) or not is_equation(node):
        return node
    for side in (node.sides[-1], node.sides[0]):
        if not variables(side):
            return side
    return node


def _with_unit(text: str) -> list[Node]:
    """`7 km/h` and `7 m` as quantities: letters that are a unit behind a number."""
    match = _UNIT.fullmatch(text) or _LETTER_UNIT.fullmatch(text)
    if match is None:
        return []
    value, unit = match.group(1), re.sub(r"[\s{}]", "", match.group(2))
    known = all(known_unit(part.partition("^")[0].lower()) for part in unit.split("/"))
    exponent = match.group(3) if match.re is _LETTER_UNIT else None
    phrase = unit.lower() + (f" ^{exponent}" if exponent else "")
    return [Quantity(node, phrase) for node in _parsed(value) if not variables(node)] if known else []


def _in_words(text: str) -> list[Node]:
    """`twenty-four dollars` and `one hundred and five`."""
    if _NUMBER_WORDS.match(text) is None:
        return []
    plain = re.sub(r"\\text ?|[{}]", " ", text).lower()
    words = [word.removesuffix("s") for word in re.findall(r"[a-z]+", plain)]
    found = leading_number(words) if re.fullmatch(r"[a-z\s,.-]+", plain) else None
    if found is None:
        return []
    value, unit = Num(found[0]), " ".join(words[found[1] :])
    return [Quantity(value, unit) if unit else value]


def _spellings(text: str, kind: AnswerKind) -> list[str]:
    option = _OPTION.match(text)
    if option is not None:
        return [option.group(1)]
    if _SPACED.match(text):
        return [_SPACED.sub(lambda m: m.group().replace(" ", ""), text)]
    if kind in ("numeric", "integer") and _DECIMAL_COMMA.match(text):
        return [text.replace(".", "").replace(",", ".")]
    if (period := _REPEATING.fullmatch(text)) is not None:
        return [rf"{period.group(1)}\overline{{{period.group(2)}}}"]
    grouped = _GROUPED.sub(lambda m: m.group().replace(",", ""), text)
    found = [text] if grouped == text else [grouped] if kind in ("numeric", "integer") else [grouped, text]
    return found + [other for spelling in found for other in _careless(spelling)]


def _careless(text: str) -> list[str]:
    r"""What may be meant by `\frac103`, which is undefined as it stands, and by `1/2x`."""
    meant = [_ZERO_BELOW.sub(r"\\frac{\g<1>0}{\2}", text)] if _ZERO_BELOW.search(text) else []
    if len(_SLASH_PRODUCT.findall(text)) == 1:
        meant.append(_SLASH_PRODUCT.sub(r"/(\1 \2)", text))
    return meant

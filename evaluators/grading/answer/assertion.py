"""The value that a sentence asserts: "the smallest $k$ is 18" says 18, and "so it is 18, attained at $x = 3$" too."""

from __future__ import annotations

import re
from itertools import pairwise

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.algebra.clean import clean
from evaluators.grading.algebra.compare import same
from evaluators.grading.algebra.nodes import Node, Quantity, Text, variables, walk
from evaluators.grading.algebra.words import known_unit
from evaluators.grading.answer.spans import MATH, NUMBER, last_group, math_list
from evaluators.grading.readings import readings

_SUBORDINATE = (
    r"(?:since|because|as|when|whenever|where|if|while|attained|achieved|occurring|obtained|reached|given|using|with|"
    r"which occurs|which is attained|for which|for all|for every|for any|note|recall|after|by)\b"
)
_CLAUSE = re.compile(
    r"[;,]\s+|\s+(?=(?:so|thus|hence|therefore|because|since|when|whenever|where|if|while|attained|achieved|with|"
    r"for which|for all|for every|for any)\b)",
    re.IGNORECASE,
)
_SUBORDINATE_CLAUSE = re.compile(rf"\s*(?:and\s+|but\s+|or\s+)?{_SUBORDINATE}", re.IGNORECASE)
_VERB = re.compile(
    r"(?:\b(?:is|are|was|were|be|becomes?|equals?|gives?|giving|gets?|obtain|yields?|have|has|need|falls? on|"
    r"comes? to|conclude that|find that|totals?|(?:a )?total of|leaves(?: us with)?|leaving|saves|implies|means|"
    r"solves to)\b|=|:)[\s*_]*",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"(?:\s|\*|:|\b(?:therefore|thus|then|simply|just|exactly|precisely|only|approximately|about|equal to|given by|"
    r"to be|found to be|a total of|indeed|also|always|us|an?(?: \w+){1,2} of|the(?: \w+){1,2} of|an?|"
    r"the (?:number|value|fraction|point|interval|set|pair|"
    r"matrix|vector|"
    r"expression|polynomial|equation|function)|all|at)\b)*",
    re.IGNORECASE,
)
_SUPERLATIVE = re.compile(r"(?:the\s+)?(?:\w+est|most|least|only|correct|winner)\b", re.IGNORECASE)
_CONNECTIVE = re.compile(
    r"^(?:\s|,|so|thus|therefore|hence|then|and|but|finally|in conclusion|"
    r"we (?:see|find|conclude) that|the answer is)+\b",
    re.IGNORECASE,
)
_FRAGMENT = re.compile(
    r"\b(?:we|let|you|then|need|think|first|so|this|it|to|now|consider|hmm|wait|and|but|because)\b", re.IGNORECASE
)
_RELATION = re.compile(r"[<>]|\\(?:le|ge|leq|geq|lt|gt|ne|neq|in|approx|to)\b")
_ARROW = re.compile(r"\\(?:Rightarrow|implies|iff|Longrightarrow|Leftrightarrow|Longleftrightarrow)(?![A-Za-z])")
_CONSEQUENCE = re.compile(r"\s*(?:and\s+|but\s+)?(?:so|thus|hence|therefore|then|or|and)\b", re.IGNORECASE)
_EDGES = re.compile(r"^(?:\s|\\q?quad(?![A-Za-z])|\\[,;!:])+|(?:\s|[.,;](?!\d)|\\q?quad(?![A-Za-z])|\\[,;:])+$")
_SYMBOL = re.compile(r"\s*(?:\\[A-Za-z]+|[A-Za-z])(?:_\{?\w+\}?)?\s*")
_MASK = "\x1a"


def asserted(sentence: str, kind: AnswerKind) -> str | None:
    """The formula or number behind the last verb of a main clause, or that a clause such as "so $a = 5$" computes.

    None where no clause has one.
    """
    for clause in reversed(_main_clauses(sentence)):
        found = None
        for verb in _VERB.finditer(_masked(clause)):
            found = _value_at(clause, verb.end(), kind) or found
        found = found or _computed(clause)
        if found is not None:
            return found
    return None


def _computed(clause: str) -> str | None:
    """The last formulas of "so the speed comes down to $240/60 = 4$ inches", None of a clause without a computation."""
    if not _CONSEQUENCE.match(clause) and not MATH.fullmatch(clause.strip(" .,;")):
        return None
    group = last_group(clause)
    return group if group is not None and "=" in group else None


def in_words(sentence: str) -> str | None:
    """The words that a sentence asserts: `odd` of "the function is odd", `Ann` of "Ann has the highest score"."""
    for clause in reversed(_main_clauses(sentence)):
        verbs = list(_VERB.finditer(_masked(clause)))
        if not verbs:
            continue
        predicate = clause[verbs[-1].end() :].strip().strip("*_`.").strip()
        subject = _CONNECTIVE.sub("", clause[: verbs[0].start()]).strip(" *,")
        if len(verbs) == 1 and _SUPERLATIVE.match(predicate) and 0 < len(subject.split()) <= 3:
            return subject
        if predicate and len(predicate.split()) <= 6 and not _FRAGMENT.search(predicate):
            return predicate
    return None


def main_formula(sentence: str) -> str | None:
    """The last formulas of the main clauses."""
    for clause in reversed(_main_clauses(sentence)):
        if (found := last_group(clause)) is not None:
            return found
    return None


def asserted_side(formula: str, kind: AnswerKind) -> str:
    """The last side of a computation (`ab = 3 \\cdot 4 = 12`); the equation of a curve and `x = 5` stay as they are."""
    formula = after_arrows(formula)
    sides = _sides(formula)
    if len(sides) < 2 or re.search(r",(?!\\?[!\d])", formula) or _RELATION.search(formula):
        return formula
    last = sides[-1].strip()
    if not sides[0].strip():
        return last
    if len(sides) > 2:
        return sides[-2].strip() if _SYMBOL.fullmatch(last) and _is_constant(sides[-2], kind) else last
    named = _SYMBOL.fullmatch(sides[0]) is not None or re.fullmatch(r"\s*[A-Z]{2,}\s*", sides[0]) is not None
    constant = _is_constant(last, kind)
    if named or (constant and re.search(r"(?<![A-Za-z\\])[xyz](?![A-Za-z_])", sides[0])):
        return formula
    return last if constant or _is_identity(sides[0], last, kind) else formula


def after_arrows(formula: str) -> str:
    """Of formulas that follow from one another, the last: `x = 5` of `2x = 10 \\Rightarrow x = 5`."""
    last = _EDGES.sub("", _ARROW.split(formula)[-1])
    return last or formula


def _is_constant(side: str, kind: AnswerKind) -> bool:
    return is_formula(side, kind) and not any(variables(node) for node in readings(clean(side), kind))


def _sides(formula: str) -> list[str]:
    """What stands between the equality signs outside of braces."""
    sides, depth = [""], 0
    for part in re.split(r"(\\[{}]|[{}]|=|\\equiv\b)", formula):
        depth += {"{": 1, "}": -1}.get(part, 0)
        if depth == 0 and part in ("=", "\\equiv"):
            sides.append("")
        else:
            sides[-1] += part
    return sides


def _is_identity(left: str, right: str, kind: AnswerKind) -> bool:
    return any(same(x, y) for x in readings(clean(left), kind) for y in readings(clean(right), kind))


def is_formula(text: str, kind: AnswerKind) -> bool:
    """Whether a text reads as mathematics without words; `a polynomial` and `our answer` are no symbols with units."""
    return any(not any(_is_wordy(n) for n in walk(node)) for node in readings(clean(text), kind))


def _is_wordy(node: Node) -> bool:
    if isinstance(node, Quantity):
        return bool(variables(node.value)) and not known_unit(node.unit)
    return isinstance(node, Text)


def _masked(text: str) -> str:
    """The text with its formulas blotted out, at the same positions."""
    return MATH.sub(lambda match: _MASK * len(match.group()), text)


def _main_clauses(sentence: str) -> list[str]:
    masked = _masked(sentence)
    bounds = [0, *(m.end() for m in _CLAUSE.finditer(masked) if not _inside_list(sentence, masked, m)), len(masked)]
    clauses = [sentence[start:end] for start, end in pairwise(bounds)]
    return [c for c in clauses if c.strip(" ,;") and not _SUBORDINATE_CLAUSE.match(c)] or [sentence]


def _inside_list(sentence: str, masked: str, comma: re.Match[str]) -> bool:
    """Whether a comma parts formulas or numbers of a list rather than clauses."""
    before, after = masked[: comma.start()].rstrip(), sentence[comma.end() : comma.end() + 5].lstrip()
    listed = before[-1:] in (_MASK,) or before[-1:].isdigit()
    return comma.group().strip() == "," and listed and re.match(r"(?:and|or)?\s*[$\\\d(-]", after) is not None


def _value_at(clause: str, position: int, kind: AnswerKind) -> str | None:
    filler = _FILLER.match(clause, position)
    start = filler.end() if filler is not None else position
    formula = MATH.match(clause, start)
    if formula is not None:
        return math_list(clause, formula)
    rest = clause[start:].strip().rstrip(".!,;* ").strip()
    if rest and not MATH.search(rest) and len(rest) < 200 and is_formula(rest, kind):
        return rest
    number = NUMBER.match(clause, start)
    if number is None or re.match(r"\d|\.\d|\s*[-+*/^=\\(]", clause[number.end() :]):
        return None
    return number.group().strip()

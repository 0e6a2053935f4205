"""Which part of a response is its answer: the last box, else what a marker announces, else the conclusion."""

from __future__ import annotations

import re

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.answer import choice
from evaluators.grading.answer.box_content import content
from evaluators.grading.answer.conclusion import bare, concluding, finally_marked, marked, reasoned
from evaluators.grading.answer.response import Box, boxes, visible
from evaluators.grading.answer.tags import parse

_STOPS = re.compile(
    r"[.!?]\s|[.!?]$|\n\s*\n|\b(?:so|thus|hence|therefore|then|wait|but|because|since|where|now|next|gives?|actually|first|"
    r"instead|however|is|are|equals?|get|check|correct\w*|case|if|when|for|no)\b|[=<>≤≥⇒]|\\(?:implies|Rightarrow|to|le|ge|approx)\b",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r",|;|\b(?:and|or)\b|\\quad|\\qquad", re.IGNORECASE)
_MATH_MARKS = re.compile(r"\\\\|\\[()\[\],;:! ]|\\(?:q?quad|text|mathrm)\b|[$*_{}]")
_LABEL_BEFORE_BOX = re.compile(r"[,;\s]*(?:and|or)?\s*[A-Za-z](?:_\{?\w+\}?)?\s*=\s*$")


_APPROXIMATELY = re.compile(
    r"[\s$.,;()\\\[\]]{0,12}(?:or\s+|which\s+is\s+|that\s+is,?\s+|i\.e\.,?\s+)?"
    r"(?:\\approx|\\simeq|≈|approximately|about|roughly)[\s$()\\\[\]]{0,12}"
)
_NAMED_PART = re.compile(
    r"[\s$.,;]{0,8}(?:\*\*)?(?:\(?(?:[a-eA-E]|i{1,3}|iv|v)\)|[Pp]art\s*\(?[a-eA-E]\)?)[:.]?(?:\*\*)?[\s$:]{0,6}"
    r"|[\s$]{0,4},?\s*and\s+(?:the|its|their)\s+\w+\s+(?:is|are|equals|=)[\s$]{0,4}"
)


def extract(text: str, kind: AnswerKind, finish_reason: str | None = None) -> str | None:
    """The answer that a response gives, None where it gives none.

    `finish_reason` "length" says that the response was cut off: then only a complete box counts, or a marked answer
    whose sentence ends. Boxes side by side are joined to a list.
    """
    return extract_with_rule(text, kind, finish_reason)[0]


def extract_from_tags(text: str, kind: AnswerKind) -> str | None:
    """The answer in a response's tags, None where it has none (`tags.parse`); a complete one, so never cut off.

    What stands between the tags is read as a whole response is, and taken as it is where no rule finds an answer in it.
    """
    said = parse(text).answer
    return None if said is None else extract(said, kind) or said


def extract_with_rule(text: str, kind: AnswerKind, finish_reason: str | None = None) -> tuple[str | None, str]:
    """The answer of a response, and in words by which rule it was found."""
    said, thought = visible(text)
    for part, where in ((said, ""), (thought, ", before </think>")):
        rule = _choice if kind == "choice" else _value
        answer, name = rule(part, kind, finish_reason)
        if answer is not None:
            return answer, name + where
        if not thought or finish_reason == "length":
            break
    return None, "no rule found an answer"


def _choice(said: str, kind: AnswerKind, finish_reason: str | None) -> tuple[str | None, str]:
    if finish_reason == "length":
        found = [choice.letters(box.content) for box in boxes(said)]
        return found[-1] if found else None, "the letter in the last box of a response that was cut off"
    return choice.extract_choice(said), "a letter: in the last box, behind the last marker, or alone"


def _value(said: str, kind: AnswerKind, finish_reason: str | None) -> tuple[str | None, str]:
    found = boxes(said)
    if found:
        final = finally_marked(said[found[-1].end :], kind)
        if final is not None:
            return final, 'the "final answer" behind the last box'
        return _joined(said, found, kind), "the last box, with those beside it"
    cut_off = finish_reason == "length"
    answer = marked(said, kind, cut_off)
    if answer is not None or cut_off:
        return _without_box(answer), 'what follows the last marker ("answer is", "A:", ####)'
    for name, reader in _UNMARKED.items():
        answer = reader(said, kind)
        if answer is not None:
            return _without_box(answer), name
    return None, "no rule found an answer"


_UNMARKED = {
    "an answer at the beginning, with its reason": reasoned,
    "the whole response": bare,
    "what the last sentence asserts": concluding,
}


def _without_box(answer: str | None) -> str | None:
    """None where what was found holds a box that is not complete."""
    return None if answer is not None and "\\boxed" in answer else answer


def _joined(said: str, found: list[Box], kind: AnswerKind) -> str:
    """The last box, with the boxes that stand beside it in its sentence."""
    first = len(found) - 1
    if first > 0 and _APPROXIMATELY.fullmatch(said[found[first - 1].end : found[first].start]):
        return rf"{content(found[first - 1], kind)} \approx {content(found[first], kind)}"
    while first > 0 and _beside(said[found[first - 1].end : found[first].start]):
        first -= 1
    return ", ".join(dict.fromkeys(content(box, kind) for box in found[first:]))


def _beside(between: str) -> bool:
    """Whether what stands between two boxes only lists them: spaces, a comma, `and`, a word or two."""
    if len(between) < 60 and _NAMED_PART.fullmatch(between):
        return True
    if len(between) > 60 or _STOPS.search(_LABEL_BEFORE_BOX.sub(",", between)):
        return False
    plain = _MATH_MARKS.sub(" ", _LABEL_BEFORE_BOX.sub(",", between)).strip()
    words = re.findall(r"[A-Za-z]+", plain)
    return not plain or (_SEPARATOR.search(between) is not None and len(words) <= 3)

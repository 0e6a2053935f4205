"""What a box says: its content without the words that models put around an answer."""

from __future__ import annotations

import re

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.answer.assertion import asserted, is_formula
from evaluators.grading.answer.response import Box, boxes

_FORMULA_IN_TEXT = re.compile(r"\\text\s*\{([^{}$]*)\$([^$]{1,300})\$([^{}$]*)\}")
_TEXT = re.compile(r"\\(?:text|textbf|mathrm|textrm)\s*\{([^{}]*)\}")
_PROSE = re.compile(r"\b(?:is|are|answer|solution|equals)\b|\\(?:text|textbf|mathrm)\s*\{[^{}]*:\s*\}", re.IGNORECASE)
_CONDITIONAL = re.compile(r"\b(?:if|when|otherwise|for|where)\b|\\begin", re.IGNORECASE)
_IS_ANSWER = re.compile(
    r"\s*(?:is|are)\s+(?:the\s+)?(?:(?:final|only|correct|required|desired)\s+)?"
    r"(?:answer|solution|solutions|value|result|solution set|range|interval|correct)\s*\.?\s*$",
    re.IGNORECASE,
)


def content(box: Box, kind: AnswerKind) -> str:
    """The answer in a box; of boxes in boxes the innermost counts."""
    inner = boxes(box.content)
    text = (inner[-1] if inner else box).content.strip()
    text = _FORMULA_IN_TEXT.sub(_outside, text)
    if not _PROSE.search(text) or _CONDITIONAL.search(text):
        return text
    plain = _TEXT.sub(r"\1", text).strip()
    subject = _IS_ANSWER.sub("", plain)
    if subject != plain and is_formula(subject.strip("$ "), kind):
        return subject.strip("$ ")
    return asserted(plain, kind) or text


def _outside(match: re.Match[str]) -> str:
    """A formula inside of text, outside of it."""
    before, formula, after = match.groups()
    left, right = (rf"\text{{{words}}}" if words.strip() else "" for words in (before, after))
    return f"{left} {formula} {right}".strip()

"""Answers without a box: behind a marker, as the whole response, or in its concluding sentence."""

from __future__ import annotations

import re

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.algebra.numerals import leading_number
from evaluators.grading.answer.assertion import (
    after_arrows,
    asserted,
    asserted_side,
    in_words,
    is_formula,
    main_formula,
)
from evaluators.grading.answer.last_sentence import last_sentence, without_afterthoughts
from evaluators.grading.answer.spans import CURRENCY, MATH, NUMBER, inside, last_group, math_list

_MARKER = re.compile(
    r"####[ \t]*"
    r"|(?:\bfinal\s+answer\b|\banswer\b(?:\s+to\s+(?:the|this)\s+(?:question|problem))?)[\s*_]*"
    r"(?::|=|\s[-–—]\s|\bis\b|\bwould\s+be\b)"
    r"(?:\s*(?:therefore|thus|simply|then|just)\b)?(?:[\s*_]*:)?[\s*_]*(?:the\s+(?:final\s+)?answer\s+is\b:?\s*)?"
    r"|\bfinal\s*:\s*|^\s*#{0,6}\s*\**\s*(?:final\s+)?answer\s*\**\s*$"
    r"|^\s*\**A\**\s*[:：](?=[ \t]*\S+(?:[ \t]+\S+){0,3}[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_FINAL = re.compile(r"\bfinal\s+answer\b[\s*_]*(?::|=|\bis\b)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[^\s.\\])[.!?](?=\s|$)|(?<!\\)[.!?](?=\s+[A-Z])|\n")
_LEADING_NUMBER = re.compile(rf"(?:{NUMBER.pattern})(?!\d|\.\d|\s*[-+*/^=\\(])")
_REASONED = re.compile(r"\s*(.{1,60}?),?\s+(?:because|since)\b", re.IGNORECASE)
_CUE = re.compile(
    r"\b(?:so|thus|therefore|hence|total|result|final\w*|conclu\w+|answer|value|equals?|consequently|altogether|is|are|"
    r"gives?|needs?|must|find|found|gets?|obtain|yields?|has|have|falls?)\b|∴|=|\\equiv\b",
    re.IGNORECASE,
)
_PLAIN_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_FRAGMENT = re.compile(
    r"\b(?:we|let|you|then|need|think|first|so|this|it|to|now|consider|hmm|wait|and|but|because)\b", re.IGNORECASE
)
_CONNECTED = re.compile(r"(?:so|thus|hence|then|as|if)\b", re.IGNORECASE)
_ALIGNED = re.compile(
    r"\\begin\{(align|aligned|equation|gather|multline|eqnarray)\*?\}((?:(?!\\begin\{\1).){1,4000})\\end\{\1\*?\}[\s.]*(?:\\\]|\$\$)?[\s.]*$",
    re.DOTALL,
)
_INNER = re.compile(r"\\begin\{(\w+)\*?\}.*?\\end\{\1\*?\}", re.DOTALL)
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?")
_MASK = "\x1a"
_REFUSAL = re.compile(
    r"\b(?:error|sorry|cannot|can't|unclear|unable|i don't|unknown|timeout|rate limit)\b", re.IGNORECASE
)


def marked(said: str, kind: AnswerKind, cut_off: bool) -> str | None:
    """What follows the last "final answer", "answer is" or "####" that is followed by an answer."""
    end = len(said.rstrip())
    markers = [match for match in _MARKER.finditer(said) if match.end() < end]
    for marker in reversed(markers[-8:]):
        rest = said[marker.end() : marker.end() + 4_000].lstrip()
        answer = _leading_answer(rest, kind, cut_off)
        if answer is not None and "\\boxed" not in answer:
            return answer
    return None


def finally_marked(said: str, kind: AnswerKind) -> str | None:
    """The formula or number that a "final answer" announces, None where words or nothing follow."""
    answer = marked(said, kind, cut_off=False) if _FINAL.search(said) else None
    return answer if answer is not None and is_formula(answer, kind) else None


def reasoned(said: str, kind: AnswerKind) -> str | None:
    """`17 because ...`: an answer at the very beginning, with its reason."""
    match = _REASONED.match(said)
    if match is None:
        return None
    formula = MATH.fullmatch(match.group(1).strip())
    text = inside(formula) if formula is not None else match.group(1).strip(" *")
    plain = not re.search(r"[A-Za-z]{2,}", text) or formula is not None
    return text if plain and is_formula(text, kind) else None


def bare(said: str, kind: AnswerKind) -> str | None:
    """The whole response, where it is an answer and nothing else."""
    text = said.strip()
    words = len(_PLAIN_WORD.findall(text))
    if (
        not text
        or len(text) > 400
        or words > 3
        or "\n\n" in text
        or _REFUSAL.search(text)
        or text.count("\\[") > text.count("\\]")
    ):
        return None
    wrapped = MATH.fullmatch(text.rstrip(". "))
    if wrapped is not None:
        return after_arrows(inside(wrapped))
    span = MATH.search(text)
    if span is not None and re.search(r"[A-Za-z]", text[: span.start()]):
        return None
    if is_formula(text, kind) and not _CONNECTED.match(text):
        return text
    phrase = kind == "latex" and len(text) < 60 and not re.search(r"[$=]", text) and not _FRAGMENT.search(text)
    return text if phrase else None


def concluding(said: str, kind: AnswerKind) -> str | None:  # noqa: PLR0911 -- a ladder of readings
    """The value that the last sentence of a finished response states."""
    text = without_afterthoughts(said)
    aligned = _ALIGNED.search(text)
    if aligned is not None:
        return asserted_side(_last_row(aligned.group(2)), kind)
    sentence = last_sentence(text)
    if sentence is None:
        return None
    if kind in ("integer", "numeric"):
        plain = CURRENCY.sub("", sentence)
        numbers = [m.group() for m in NUMBER.finditer(plain)]
        return numbers[-1].strip() if numbers else _number_in_words(sentence)
    if not _CUE.search(sentence):
        return None
    sentence = CURRENCY.sub("", sentence)
    found = asserted(sentence, kind)
    if found is not None:
        return asserted_side(found, kind)
    emphasised = [words for words in re.findall(r"\*\*([^*]+)\*\*", sentence) if not words.rstrip().endswith(":")]
    if emphasised and not MATH.search(emphasised[-1]):
        return str(emphasised[-1]).strip()
    formula, words = main_formula(sentence), in_words(sentence)
    if formula is None or (words is not None and len(words.split()) == 1 and not _ends_in_formula(sentence)):
        formula = words or last_group(sentence)
    return None if formula is None else asserted_side(formula, kind)


def _last_row(rows: str) -> str:
    """The last line of aligned equations without its marks of alignment; matrices in it stay as they are."""
    masked = _INNER.sub(lambda match: _MASK * len(match.group()), rows)
    start = max([0, *(end.end() for end in _ROW_END.finditer(masked) if masked[end.end() :].strip())])
    pairs = zip(rows[start:], masked[start:], strict=True)
    return "".join(" " if mark == "&" else character for character, mark in pairs).strip()


def _ends_in_formula(sentence: str) -> bool:
    return re.search(r"(?:\$|\\\)|\\\])[\s.,!*]*$", sentence) is not None


def _number_in_words(sentence: str) -> str | None:
    words = re.findall(r"[a-z]+", sentence.lower())
    for start in range(len(words)):
        found = leading_number(words[start:])
        if found is not None:
            return " ".join(words[start : start + found[1]])
    return None


def _leading_answer(rest: str, kind: AnswerKind, cut_off: bool) -> str | None:
    """The answer at the beginning of a text, up to the end of its sentence."""
    rest = CURRENCY.sub("", rest.lstrip("*_: \n"))
    first = MATH.match(rest)
    if first is not None:
        return asserted_side(math_list(rest, first), kind)
    end = _SENTENCE_END.search(rest)
    if end is None and cut_off:
        return None
    segment = rest[: end.start()] if end is not None else rest
    segment = segment.strip().strip("*_`").strip()
    if not segment or len(segment) > 400 or _MARKER.match(segment):
        return None
    return _segment_answer(segment, kind)


def _segment_answer(segment: str, kind: AnswerKind) -> str | None:  # noqa: PLR0911 -- a ladder of readings
    numeric = kind in ("integer", "numeric")
    formulas = MATH.search(segment) is not None
    if not formulas and is_formula(segment, kind):
        return segment
    found = asserted(segment, kind) if formulas or not numeric else None
    if found is not None:
        return found
    if formulas:
        return inside(next(MATH.finditer(segment)))
    number = NUMBER.search(segment) if numeric else _LEADING_NUMBER.match(segment)
    if number is not None:
        return number.group().strip()
    numbers = [] if re.search(r"\bnot\b|n't\b", segment) else NUMBER.findall(segment)
    if len(numbers) == 1:
        return str(numbers[0]).strip()
    if numeric:
        return _number_in_words(segment)
    emphasised = re.search(r"\*\*([^*]+)\*\*", segment)
    if emphasised is not None:
        return emphasised.group(1).strip()
    return (
        segment if len(segment.split()) <= 6 and not (_REFUSAL.search(segment) or _FRAGMENT.search(segment)) else None
    )

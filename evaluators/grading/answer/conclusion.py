"""Answers without a box: behind a marker, as the whole response, or in its concluding sentence."""

from __future__ import annotations

import re

from evaluators.benchmarks.benchmark import AnswerKind
from evaluators.grading.algebra.clean import clean
from evaluators.grading.algebra.nodes import Text, walk
from evaluators.grading.algebra.words import NUMBER_WORDS
from evaluators.grading.equivalence import readings

_MARKER = re.compile(
    r"####[ \t]*"
    r"|(?:\bfinal\s+answer\b|\banswer\b(?:\s+to\s+(?:the|this)\s+(?:question|problem))?)[\s*_]*(?::|=|\bis\b|\bwould\s+be\b)"
    r"(?:\s*(?:therefore|thus|simply|then|just)\b)?(?:[\s*_]*:)?[\s*_]*(?:the\s+(?:final\s+)?answer\s+is\b:?\s*)?"
    r"|\bfinal\s*:\s*|^\s*#{1,6}\s*\**\s*(?:final\s+)?answer\s*\**\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_MATH = re.compile(r"\\\[(.+?)\\\]|\\\((.+?)\\\)|\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+?)(?<!\\)\$", re.DOTALL)
_JOIN = re.compile(r"\s*(?:,|;|,?\s*\b(?:and|or)\b)\s*")
_SENTENCE_END = re.compile(r"(?<=[^\s.])[.!?](?=\s|$)|[.!?](?=\s+[A-Z])|\n")
_NUMBER = re.compile(
    r"[-−]?\$?\s?(?:\d{1,3}(?:,\d{3})+|\d+)(?:[.,]\d+)?(?:\s*/\s*\d+)?(?:[eE][+-]?\d+)?\s?%?|[-−]?\.\d+"
)
_LEADING_NUMBER = re.compile(rf"(?:{_NUMBER.pattern})(?!\d|\.\d|\s*[-+*/^=\\(])")
_CURRENCY = re.compile(
    r"\$(?=\s?\d[\d,.]*(?:\s|[.,;!?)]|$))(?![^$\n]{0,80}\\[^$\n]{0,80}\$)(?![^$\n]{1,80}\$(?!\s?\d))"
)
"""A dollar sign before an amount, rather than one that opens a formula."""
_CUE = re.compile(
    r"\b(?:so|thus|therefore|hence|total|result|final\w*|conclu\w+|answer|value|equals?|consequently|altogether|is|are|gives?)\b|∴|=",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"(?:\bis\b|\bare\b|\bequals?\b|\bbe\b|\bgives?\b|\bgets?\b|\bobtain\b|\bwas\b|\bhave\b|\bhas\b|=|:)\s*",
    re.IGNORECASE,
)
_PLAIN_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_FRAGMENT = re.compile(
    r"\b(?:we|let|you|then|need|think|first|so|this|it|to|now|consider|hmm|wait|and|but|because)\b", re.IGNORECASE
)
_REFUSAL = re.compile(
    r"\b(?:error|sorry|cannot|can't|unclear|unable|i don't|unknown|timeout|rate limit)\b", re.IGNORECASE
)


def marked(said: str, kind: AnswerKind, cut_off: bool) -> str | None:
    """What follows the last "final answer", "answer is" or "####" that is followed by an answer."""
    markers = [match for match in _MARKER.finditer(said) if said[match.end() :].strip()]
    for marker in reversed(markers[-8:]):
        rest = said[marker.end() : marker.end() + 4_000].lstrip()
        answer = _leading_answer(rest, kind, cut_off)
        if answer is not None and "\\boxed" not in answer:
            return answer
    return None


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
    wrapped = _MATH.fullmatch(text.rstrip(". "))
    if wrapped is not None:
        return _inside(wrapped)
    span = _MATH.search(text)
    if span is not None and re.search(r"[A-Za-z]", text[: span.start()]):
        return None
    found = readings(clean(text), kind)
    if any(not any(isinstance(n, Text) for n in walk(node)) for node in found):
        return text
    phrase = kind == "latex" and len(text) < 60 and not re.search(r"[$=]", text) and not _FRAGMENT.search(text)
    return text if phrase else None


def concluding(said: str, kind: AnswerKind) -> str | None:
    """The value that the last sentence of a finished response states."""
    text = said.rstrip()
    sentence = _last_sentence(text)
    if sentence is None:
        return None
    if kind in ("integer", "numeric"):
        plain = _CURRENCY.sub("", sentence)
        numbers = [m.group() for m in _NUMBER.finditer(plain)]
        return numbers[-1].strip() if numbers else None
    if not _CUE.search(sentence):
        return None
    sentence = _CURRENCY.sub("", sentence)
    spans = list(_MATH.finditer(sentence))
    if spans:
        first = len(spans) - 1
        while first > 0 and _JOIN.fullmatch(sentence[spans[first - 1].end() : spans[first].start()]):
            first -= 1
        return ", ".join(_inside(span) for span in spans[first:])
    emphasised = [words for words in re.findall(r"\*\*([^*]+)\*\*", sentence) if not words.rstrip().endswith(":")]
    if emphasised:
        return str(emphasised[-1]).strip()
    stated = list(_VERB.finditer(sentence))
    return _leading_answer(sentence[stated[-1].end() :], kind, False) if stated else None


def _last_sentence(text: str) -> str | None:
    """The last sentence with the display that ends it, None where the text breaks off."""
    if not text or (text[-1] not in ".!?$)]*" and not text.endswith("\\]")):
        return None
    if text.count("$") % 2 and not _CURRENCY.search(text[-200:]):
        return None
    tail = text[-1_500:]
    display = re.search(r"(?:\\\[|\$\$)(?:(?!\\\[|\$\$).)*(?:\\\]|\$\$)$", tail, re.DOTALL)
    if display is not None:
        before = tail[: display.start()].rstrip()
        return re.split(r"[.!?]\s|\n\s*\n", before)[-1] + " " + display.group()
    body = tail.rstrip(".!? ")
    starts = [m.end() for m in re.finditer(r"[.!?]\s+(?=[A-Z\"(*])|\n", body)]
    return tail[starts[-1] if starts else 0 :]


def _leading_answer(rest: str, kind: AnswerKind, cut_off: bool) -> str | None:
    """The answer at the beginning of a text, up to the end of its sentence."""
    rest = _CURRENCY.sub("", rest.lstrip("*_: \n"))
    first = _MATH.match(rest)
    if first is not None:
        return _math_list(rest, first)
    end = _SENTENCE_END.search(rest)
    if end is None and cut_off:
        return None
    segment = rest[: end.start()] if end is not None else rest
    segment = segment.strip().strip("*_`").strip()
    if not segment or len(segment) > 400 or _MARKER.match(segment):
        return None
    return _segment_answer(segment, kind)


def _segment_answer(segment: str, kind: AnswerKind) -> str | None:  # noqa: PLR0911 -- a ladder of readings
    spans = list(_MATH.finditer(segment))
    numeric = kind in ("integer", "numeric")
    whole = readings(clean(segment), kind)
    if not spans and any(not any(isinstance(n, Text) for n in walk(node)) for node in whole):
        return segment
    if spans:
        return _inside(spans[0])
    number = _NUMBER.search(segment) if numeric else _LEADING_NUMBER.match(segment)
    if number is not None:
        return number.group().strip()
    numbers = [] if re.search(r"\bnot\b|n't\b", segment) else _NUMBER.findall(segment)
    if len(numbers) == 1:
        return str(numbers[0]).strip()
    if numeric:
        return segment if segment.lower() in NUMBER_WORDS else None
    emphasised = re.search(r"\*\*([^*]+)\*\*", segment)
    if emphasised is not None:
        return emphasised.group(1).strip()
    return (
        segment if len(segment.split()) <= 6 and not (_REFUSAL.search(segment) or _FRAGMENT.search(segment)) else None
    )


def _math_list(rest: str, first: re.Match[str]) -> str:
    """`$5$ or $6$` is a list; `$5$ because ...` is 5."""
    contents, end = [_inside(first)], first.end()
    while (join := _JOIN.match(rest, end)) is not None and (following := _MATH.match(rest, join.end())) is not None:
        contents.append(_inside(following))
        end = following.end()
    tail = re.match(r"\s*(%|\\%|[a-z]+(?: [a-z]+)?(?=\s*[.,;!]|\s*$))", rest[end:]) if len(contents) == 1 else None
    return ", ".join(contents) + (
        " " + tail.group(1) if tail is not None and tail.group(1) in ("%", "\\%", "percent") else ""
    )


def _inside(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()

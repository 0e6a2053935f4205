"""The letter of a multiple-choice answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evaluators.grading.answer.response import boxes

_LETTER = r"[A-J]"
_REACH = 200
"""Characters behind a marker that may hold its letter."""
_LAST = 200
"""Markers that are looked at, from the end."""
_OPEN = r"[\s\"'*_`$({\[<]{0,8}(?:\\[(\[]\s?)?(?:\\(?:text|mathrm|textbf|mathbf|boldsymbol)\s?\{\s?)?[\s({\[*]{0,4}"
_NOUN = r"(?:option|choice|answer|letter|alternative|candidate|statement)"
_NAMED = rf"(?:the\s+)?(?:(?:correct|best|right|final)\s+)*(?:{_NOUN}\s*)?[:#]?\s*"
_HEDGE = (
    r"(?:(?:definitely|certainly|clearly|for sure|probably|(?:most )?likely|therefore|indeed|simply|"
    r"just|thus|then|surely)[\s,:]+)?"
)
_MARKER = re.compile(
    r"(?:(?:final|correct|best|right|my|the|most\s+\w+)?\s*\b(?:answer|choice|option|solution|conclusion|selection|possibility|letter|final)\b"
    r"(?:\s+(?:choice|option|letter|here|to\s+(?:this|the)\s+question|among\s+\w+\s+\w+))?\s*[*_`]*\s*"
    r"(?::|=|\bis\b|\bwould\s+be\b|\bshould\s+be\b|\bmust\s+be\b|\s[-–—]\s|->|→|\b(?=\())\s*[*_`]*:?"
    r"|\b(?:choose|select|pick|go\s+with|going\s+with|chose|selected|it'?s|it\s+is|must\s+be|would\s+be|answer)\b|####|答案(?:是|为|:)?"
    r"|\b(?P<weak>so|thus|hence|therefore|say)\b[,:]?)"
    r"[ \t]*\n{0,2}",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"\s*{_HEDGE}(?i:{_NAMED}){_OPEN}(?P<letter>[A-Ja-j])(?P<close>[\s)}}\]*$_\"'`>]*)(?:\\[)\]])?(?![\w'’\\^=]|\s*[=+])"
)
_MORE = re.compile(
    rf"\s*(?:,\s*(?:and|or)\b|,|/|&|\bor\b|\band\b)\s*(?:{_NOUN}\s+)?[({{\[*$]*([A-J])(?![\w'’])[)}}\]*$]*"
    r"(?!\s+(?:is|are|was|were|has|have|can|cannot|fails?|violates?|does|do|would|contradicts?|both)\b)"
)
_STATED = re.compile(
    rf"\b(?:{_NOUN}\s+)?[(*]{{0,4}}(?P<letter>[A-J])[)*]{{0,4}}(?:\s*:|\s+(?:is|seems|must\s+be|would\s+be|fits|works|appears\s+to\s+be)\b)"
    r"\s*(?P<not>not|in|un)?\s*(?:the\s+)?(?:most\s+)?(?:correct|right|best|true|answer|appropriate|likely)?",
    re.IGNORECASE,
)
_APPROVAL = re.compile(r"(?:correct|right|best|true|answer|appropriate|fits|works)\b", re.IGNORECASE)
_NEGATED = re.compile(r"(?:\bnot\b|\bisn'?t\b|\bwasn'?t\b|\bnever\b|n't)\s*(?:the\s+|option\s+)*$", re.IGNORECASE)
_LEADING = re.compile(r"\s*[*_(\[]*([A-Ja-j])\s*[)\].:][*_)]*(?:\s|$)")
_CONTINUATION = re.compile(
    r"\s*(?:because|since|as|and|or|for|with|which|but|due|based|is|not|from|in|on|by|it|so|then|if|while|the|given|rather|here)\b"
)
_BARE = re.compile(rf"[\s\"'*_`$({{\[<]*(?:(?i:option|choice)\s+)?[({{\[*$]*({_LETTER})[\s)}}\]*_$\"'`>.:!]*")
_MARKS = re.compile(
    r"\\(?:text|mathrm|textbf|mathbf|textit|boldsymbol|rm|bf|left|right|,|!|;|quad)\b|[\s$*_`{}()\[\]\\\"'.:;]"
)


_FULL_WIDTH = {ord("Ａ") + index: chr(ord("A") + index) for index in range(10)}
_REASONED = re.compile(r"\s*[*_(]*([A-J])[*_)]*,?\s+(?:because|since)\b")
_SINGLE = re.compile(r"[\s\"'*_`$(]*([A-Ja-j])[\s)*_$\"'`.]*")


def letters(answer: str) -> str | None:
    """The letters that an answer consists of or begins with: `C` of `\\text{(C)}` and of `C) 4`, `A,B` of `A and B`."""
    plain = _MARKS.sub(" ", answer).strip()
    plain = re.sub(r"^(?:option|choice|answer)\s+", "", plain, flags=re.IGNORECASE)
    several = re.fullmatch(r"([A-Ja-j])((?:\s*(?:,|and|or|/|&)\s*|\s+)[A-Ja-j])+", plain)
    if several:
        return ",".join(dict.fromkeys(re.findall(r"\b[A-J]\b", plain.upper())))
    if re.fullmatch(r"[A-Ja-j]", plain):
        return plain.upper()
    labelled = re.match(r"[\s$]*\\?(?:text(?:bf)?|mathrm|mathbf)?\s*[{(\[*]*\s*([A-J])\s*[)\].:}]", answer)
    return labelled.group(1) if labelled else None


def meant(answer: str, choices: Sequence[str]) -> str:
    """The texts of the choices whose letters an answer gives; an answer without such letters as it is."""
    places = ["ABCDEFGHIJ".index(letter) for letter in (letters(answer) or "").split(",") if letter]
    if not places or max(places) >= len(choices):
        return answer
    return "; ".join(sorted(choices[place] for place in places))


def extract_choice(said: str) -> str | None:
    """The letter that a response settles on: in its last box, behind its last marker, or alone."""
    said = said.replace("：", ":").translate(_FULL_WIDTH)
    for box in reversed(boxes(said)):
        found = letters(box.content)
        if found is not None:
            return _joined_boxes(said) or found
    return _marked(said) or _stated(said) or _alone(said)


def _joined_boxes(said: str) -> str | None:
    found = boxes(said)
    if len(found) < 2 or not re.fullmatch(r"[\s$]*(?:and|or|,)[\s$]*", said[found[-2].end : found[-1].start]):
        return None
    several = {letters(box.content) for box in found[-2:]}
    return ",".join(sorted(s for s in several if s)) if None not in several and len(several) > 1 else None


def _marked(said: str) -> str | None:
    for marker in reversed(list(_MARKER.finditer(said))[-_LAST:]):
        if _NEGATED.search(said[max(0, marker.start() - 12) : marker.start()]):
            continue
        match = _AFTER.match(said[marker.end() : marker.end() + _REACH])
        if match is None or not _is_offer(match, marker.group()):
            continue
        if marker.group("weak") and not re.match(r"\s*(?:[.!;]|$)", match.string[match.end() :]):
            continue
        return _with_others(match)
    return None


def _is_offer(match: re.Match[str], marker: str) -> bool:
    """A capital is; a lower-case letter only behind a colon or `is`, and alone; `A` before a word is an article."""
    letter, rest = match.group("letter"), match.string[match.end() :]
    decorated = bool(re.search(r"[)}\]*$_\"'`>]", match.group("close")))
    if letter in "Aa" and not decorated and re.match(r"\s*[a-z]{2,}", rest) and not _continues(rest):
        return False
    if letter.isupper():
        return letter != "I" or decorated or not re.match(r"\s*[a-z]", rest)
    final = re.search(r"answer|choice|option|final", marker, re.IGNORECASE) is not None
    return final and (decorated or re.match(r"\s*(?:[.,:;!)]|$|\n)", rest) is not None)


def _continues(rest: str) -> bool:
    return _CONTINUATION.match(rest) is not None


def _with_others(match: re.Match[str]) -> str:
    """Further letters offered in the same breath make the answer ambiguous."""
    found = [match.group("letter").upper()]
    position = match.end()
    while (more := _MORE.match(match.string, position)) is not None:
        found.append(more.group(1))
        position = more.end()
    return ",".join(dict.fromkeys(found))


def _stated(said: str) -> str | None:
    """`Option B is correct`, `I think B fits`: the last letter approved of and not denied."""
    for match in reversed(list(_STATED.finditer(said))[-_LAST:]):
        approved = _APPROVAL.search(match.group()) is not None and match.group("not") is None
        prefixed = re.match(r"[(*]|option|choice", match.group(), re.IGNORECASE) is not None
        if approved and match.group("letter").isupper() and (match.group("letter") != "I" or prefixed):
            return match.group("letter")
    return None


def _alone(said: str) -> str | None:
    bare = _BARE.fullmatch(said) if len(said) < 200 else None
    if bare is not None:
        return bare.group(1)
    single = _SINGLE.fullmatch(said) if len(said) < 20 else None
    if single is not None:
        return single.group(1).upper()
    reasoned = _REASONED.match(said)
    if reasoned is not None:
        return reasoned.group(1)
    lines = [match.group(1) for line in said.splitlines()[:200] if len(line) < 100 and (match := _BARE.fullmatch(line))]
    if len(lines) == 1:
        return lines[0]
    leading = _LEADING.match(said)
    if leading is not None:
        return leading.group(1).upper()
    last = said.rstrip().rpartition("\n")[2]
    closing = _BARE.fullmatch(last) if len(last) < 100 else None
    option = re.match(r"\s*[*_]*\(?([A-J])[).:]", last) if closing is None and len(last) < 300 else None
    found = closing or option
    return found.group(1) if found is not None else None

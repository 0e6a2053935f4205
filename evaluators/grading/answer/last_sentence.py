"""Which sentence of a response concludes it: the last one that is no figure and no remark on what was found."""

from __future__ import annotations

import re

from evaluators.grading.answer.spans import CURRENCY

_FIGURE = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)
_END = r"[.!?]\s+(?=[A-Z\"(*])|(?<=[.!?])(?:\$\$?|\\\)|\\\]) *(?=[A-Z(])|\\end\{\w+\*?\}\s*(?=[A-Z(])"
"""Where a sentence ends. The full stop may stand inside the formula that ends it, and is left out behind a display."""
_END_OF_PROSE = re.compile(_END + r"|\n")
_END_BEFORE_DISPLAY = re.compile(_END + r"|\n\s*\n")
_REMARK = re.compile(
    r"[\s*(_]*(?:(?:note|notice|remark|remember|recall|alternatively|checking|testing|verifying|verification|check)\b"
    r"|to (?:check|verify|confirm)\b"
    r"|(?:we|you|one) (?:(?:can|may|could|might|have|also|even|now|easily|quickly|manually) )*"
    r"(?:check|verify|recognized|confirm)\b"
    r"|(?:this|it) (?:works|checks)\b)",
    re.IGNORECASE,
)
_PARENTHESIS = re.compile(r"\((?=[A-Z])(?:[^()]|\([^()]*\))*\)[\s.]*$")
_DISPLAY = re.compile(r"(?:\\\[|\$\$)(?:(?!\\\[|\$\$).)*(?:\\\]|\$\$)$", re.DOTALL)
_REACH = 1_500
"""Characters at the end of a response that are looked at."""
_MOST_REMARKS = 4


def without_afterthoughts(text: str) -> str:
    """The text without figures given as code and without the remarks behind its conclusion."""
    text = (_FIGURE.sub("", text) if "[asy]" in text else text).rstrip()
    for _ in range(_MOST_REMARKS):
        rest = text[-_REACH:]
        aside = _PARENTHESIS.search(rest)
        start = aside.start() if aside is not None else _start(rest)
        before = rest[:start].rstrip()
        if not re.search(r"\d", before) or (aside is None and not _REMARK.match(rest, start)):
            break
        text = text[: len(text) - len(rest)] + before
    return text


def last_sentence(text: str) -> str | None:
    """The last sentence with the display that ends it, None where the text breaks off."""
    if not text or (text[-1] not in ".!?$)]*" and not text.endswith("\\]")):
        return None
    if text.replace("\\$", "").count("$") % 2 and not CURRENCY.search(text[-200:]):
        return None
    rest = text[-_REACH:]
    return rest[_start(rest) :]


def _start(text: str) -> int:
    """Where the last sentence begins."""
    display = _DISPLAY.search(text)
    end, body = (
        (_END_BEFORE_DISPLAY, text[: display.start()].rstrip())
        if display is not None
        else (_END_OF_PROSE, text.rstrip(".!? "))
    )
    starts = [match.end() for match in end.finditer(body)]
    return starts[-1] if starts else 0

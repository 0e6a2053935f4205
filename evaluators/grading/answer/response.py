"""The part of a response that may hold its answer, and the boxes in it. Every scan is linear in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_RESPONSE = 400_000
"""Characters of a response that are read, from its end."""
_TURN = re.compile(r"<\|im_start\|>|<\|eot_id\|><\|start_header_id\|>|<\|start_header_id\|>|<\|user\|>")
_SPECIAL = re.compile(r"<\|(?!begin_of_box|end_of_box)[\w ]{1,40}\|>|<｜[^｜]{1,40}｜>|</?s>|<eos>|<end_of_turn>|<pad>")
_BOX = re.compile(
    r"\\(?:boxed|fbox|framebox)\s*(?:\[[^\]\n]{0,30}\]\s?)?(?=\{)|\\boxed\s+(?=[^\s{])|\\boxed(?=[\d\\])"
    r"|<\|begin_of_box\|>|<answer>"
)
_TAGS = {"<|begin_of_box|>": "<|end_of_box|>", "<answer>": "</answer>"}
_UNCLOSED = re.compile(r"\{([^{}\n\\]{1,200}?)\\\}")
"""The content of a box whose closing brace was escaped by mistake."""
_CONTINUED = re.compile(
    r"\n\s*(?:#{1,4}\s*)?\**"
    r"(?:Problem|Question|Q|Exercise|Example|Human|User|Instruction)\**\s*\d{0,3}\s*[:.]\**[ \t\n]",
)
_ANSWERED = re.compile(r"\\boxed\s*\{|####\s*\S|\banswer\b\s*(?:is\b|:)\s*\S|^\s*A:\s*\S", re.IGNORECASE | re.MULTILINE)
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_UNDERLINED = re.compile(r"(?<![A-Za-z0-9\\_])__(?=[A-Za-z])|(?<=[A-Za-z:.])__(?![A-Za-z0-9_])")
_SPACES = re.compile(r"[^\S\n]{2,}|[^\S\n ]")
"""Runs of spaces, and one that is not the plain one: a plain one stays as it is."""
_EMPTY_LINES = re.compile(r"(?:\n ?){3,}")
_FEEDBACK = re.compile(r"\bI hope (?:it|this) (?:is|helps)[^.!\n]{0,40}[.!]?\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Box:
    """The content of a box and where it stands in the text."""

    start: int
    end: int
    content: str


def visible(text: str) -> tuple[str, str]:
    """(what the response says, what it thought before): an unclosed <think> hides everything behind it."""
    text = _SPECIAL.sub(" ", _first_turn(text[-MAX_RESPONSE:]))
    text = _UNDERLINED.sub("**", text) if "__" in text else text
    closed = text.rfind("</think>")
    thought, said = (text[:closed], text[closed + len("</think>") :]) if closed >= 0 else ("", text)
    opened = said.find("<think>")
    said = _first_problem(_collapsed(said[:opened] if opened >= 0 else said))
    said = _FEEDBACK.sub("", said) if "hope" in said.lower() else said
    return said, _collapsed(thought)


def boxes(text: str) -> list[Box]:
    """Complete boxes in order, outermost only; a box inside a box is part of its content."""
    found: list[Box] = []
    match = _BOX.search(text)
    closings = _matching_braces(text, match.start()) if match is not None else {}
    position = 0
    while (match := _BOX.search(text, position)) is not None:
        position = match.end()
        box = _box_at(text, match, closings)
        if box is not None and box.content.strip():
            found.append(box)
            position = box.end
    return found


def _collapsed(text: str) -> str:
    """Runs of spaces and of empty lines shortened, so that no pattern below is slow on them."""
    if not text.isascii() or "  " in text or not text.replace("\n", "").isprintable():
        text = _SPACES.sub(" ", text)
    return _EMPTY_LINES.sub("\n\n", text) if "\n" in text else text


def _first_turn(text: str) -> str:
    """Without the next turn, which the model may have made up."""
    match = _TURN.search(text)
    return text[: match.start()] if match is not None and match.start() > 0 else text


def _first_problem(text: str) -> str:
    """Without the next problem, which a model went on to make up behind its answer."""
    if _CONTINUED.search(text) is None:
        return text
    answered = _ANSWERED.search(text)
    following = _CONTINUED.search(text, answered.end()) if answered is not None else None
    return text if following is None else text[: following.start()]


def _box_at(text: str, match: re.Match[str], closings: dict[int, int]) -> Box | None:
    start = match.end()
    closing_tag = _TAGS.get(match.group())
    if closing_tag is not None:
        end = text.find(closing_tag, start)
        return Box(match.start(), end + len(closing_tag), text[start:end]) if end >= 0 else None
    if text[start : start + 1] == "{":
        closing = closings.get(start)
        if closing is not None:
            return Box(match.start(), closing + 1, text[start + 1 : closing])
        unclosed = _UNCLOSED.match(text, start)
        return None if unclosed is None else Box(match.start(), unclosed.end(), unclosed.group(1))
    plain = re.compile(r"[^\s$.,]+").match(text, start)
    return None if plain is None else Box(match.start(), plain.end(), plain.group())


def _matching_braces(text: str, start: int) -> dict[int, int]:
    """The closing brace of each opening one from `start` on, by position; escaped braces do not count."""
    matching: dict[int, int] = {}
    stack: list[int] = []
    for match in _BRACES.finditer(text, start):
        if match.group() == "{":
            stack.append(match.start())
        elif match.group() == "}" and stack:
            matching[stack.pop()] = match.start()
    return matching

"""A response in the tags of PASR (arXiv 2508.12903): thinking that may hold refine passages, then an answer.

<think> ... <refine> ... </refine> ... </think><answer> ... </answer>
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from srgen.thinking import opening

__all__ = ["EMPTY", "OUTSIDE", "UNBALANCED", "Span", "Tagged", "opening", "parse", "token_counts"]

_TAG = re.compile(r"<(/?)(think|refine|answer)>")
_OUTLINE = ["<think>", "</think>", "<answer>", "</answer>"]
"""The tags of a well-formed response but for those of its refine passages."""
UNBALANCED = "refine passages unclosed, nested or outside the thinking"
EMPTY = "an empty answer"
OUTSIDE = "text outside the tags"


@dataclass(frozen=True, slots=True)
class Span:
    """What stands between a tag and its closing tag, in characters of the response."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """What the tags of a response say. A response that is not well-formed has whatever parts are complete."""

    response: str
    thoughts: tuple[Span, ...]
    """The thinking: one part, or several where tags are doubled; thoughts that were cut off end with the response."""
    refines: tuple[Span, ...]
    """The complete refine passages within the thinking."""
    answer_span: Span | None
    """The last complete <answer> that stands after the thinking's end and in no other thoughts."""
    refines_balanced: bool
    """Whether every <refine> is closed, none is nested, and all are within the thinking; true where there is none."""
    fault: str | None
    """Why the response is not well-formed, in a few words; None where it is."""

    @property
    def well_formed(self) -> bool:
        """One thinking, then one answer that is not empty, nothing outside of both; refine passages balanced."""
        return self.fault is None

    @property
    def answer(self) -> str | None:
        """The text of the answer, None where there is none or it is empty; the response need not be well-formed."""
        return None if self.answer_span is None else self.text(self.answer_span) or None

    def text(self, span: Span) -> str:
        """What the response says there, without the space around it."""
        return self.response[span.start : span.end].strip()


@dataclass(frozen=True, slots=True)
class _Mark:
    """A tag where it stands in the text."""

    tag: str
    start: int
    end: int


def parse(response: str, before: str = "") -> Tagged:
    """The parts of a response and whether it is well-formed. Linear in the text.

    `before` is what the prompt already holds of the model's turn, such as "<think>\\n" (see `opening`). It is read as
    the response's beginning; the spans stay those of the response.
    """
    text = before + response
    marks = [_Mark(match.group(), match.start(), match.end()) for match in _TAG.finditer(text)]
    thoughts = _thoughts(marks, len(text))
    refines = [span for span in _pairs(marks, "refine") if _inside(span, thoughts)]
    answers = [span for span in _pairs(marks, "answer") if _behind(span, thoughts)]
    balanced = _balanced(marks, len(refines))
    return Tagged(
        response,
        thoughts=tuple(_moved(span, len(before)) for span in thoughts),
        refines=tuple(_moved(span, len(before)) for span in refines),
        answer_span=_moved(answers[-1], len(before)) if answers else None,
        refines_balanced=balanced,
        fault=_fault(text, marks, balanced),
    )


def token_counts(tokens: Sequence[str], before: str = "") -> dict[str, int]:
    """How many of a response's tokens, each as its string, lie in the thinking, its refine passages and the answer.

    A part's own tags do not count, nor what `before` holds, which is as in `parse`; refine passages with their tags are
    part of the thinking.
    """
    found = parse("".join(tokens), before)
    ends = list(accumulate(map(len, tokens)))
    starts = [0, *ends[:-1]]

    def within(spans: Iterable[Span]) -> int:
        # Tokens of which a part lies in the span: one may hold the end of a tag, too.
        places = (range(bisect_right(ends, s.start), bisect_left(starts, s.end)) for s in spans if s.start < s.end)
        return len({place for within in places for place in within})

    answer = [found.answer_span] if found.answer_span is not None else []
    return {"think": within(found.thoughts), "refine": within(found.refines), "answer": within(answer)}


def _thoughts(marks: Sequence[_Mark], end: int) -> list[Span]:
    """The thinking, opened by its tag; thoughts that are only closed began with the text."""
    think = [mark for mark in marks if mark.tag in ("<think>", "</think>")]
    start = 0 if think and think[0].tag == "</think>" else None
    found = []
    for mark in think:
        if mark.tag == "<think>" and start is None:
            start = mark.end
        elif mark.tag == "</think>" and start is not None:
            found.append(Span(start, mark.start))
            start = None
    return found if start is None else [*found, Span(start, end)]


def _pairs(marks: Iterable[_Mark], name: str) -> list[Span]:
    """What stands between a tag and the next that closes it; of nested ones the innermost."""
    found = []
    start = None
    for mark in marks:
        if mark.tag == f"<{name}>":
            start = mark.end
        elif mark.tag == f"</{name}>" and start is not None:
            found.append(Span(start, mark.start))
            start = None
    return found


def _inside(span: Span, thoughts: Sequence[Span]) -> bool:
    index = bisect_right(thoughts, span.start, key=lambda thought: thought.start) - 1
    return index >= 0 and span.end <= thoughts[index].end


def _behind(span: Span, thoughts: Sequence[Span]) -> bool:
    """Whether it stands after an end of thinking and touches no thoughts; their tags lie between, if it does not."""
    index = bisect_right(thoughts, span.start, key=lambda thought: thought.start) - 1
    ended = index >= 0 and thoughts[index].end < span.start
    return ended and (index + 1 == len(thoughts) or span.end < thoughts[index + 1].start)


def _balanced(marks: Iterable[_Mark], complete: int) -> bool:
    """Whether the refine tags are just those of that many complete passages within the thinking."""
    tags = [mark.tag for mark in marks if mark.tag in ("<refine>", "</refine>")]
    return tags == ["<refine>", "</refine>"] * complete


def _fault(text: str, marks: Sequence[_Mark], balanced: bool) -> str | None:
    outline = [mark for mark in marks if mark.tag in _OUTLINE]
    counts = Counter(mark.tag for mark in outline)
    for tag in _OUTLINE:
        if counts[tag] != 1:
            return f"{tag} {counts[tag]} times" if counts[tag] else f"no {tag}"
    if [mark.tag for mark in outline] != _OUTLINE:
        return "tags out of order"
    if not balanced:
        return UNBALANCED
    begin, thought, ask, answered = outline
    if not text[ask.end : answered.start].strip():
        return EMPTY
    if any(outside.strip() for outside in (text[: begin.start], text[thought.end : ask.start], text[answered.end :])):
        return OUTSIDE
    return None


def _moved(span: Span, by: int) -> Span:
    """The span in a text without its first `by` characters."""
    return Span(max(span.start - by, 0), max(span.end - by, 0))

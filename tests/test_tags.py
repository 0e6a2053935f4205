"""Responses in tags: what is well-formed, and what is the answer of one that is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from evaluators.grading.answer.tags import EMPTY, OUTSIDE, UNBALANCED, opening, parse

TAGS = ("<think>", "</think>", "<refine>", "</refine>", "<answer>", "</answer>")
SPACE = st.sampled_from(["", " ", "\n", "\n\n", "\t "])
WORDS = st.text(alphabet="ab 1<>/\n", max_size=12).filter(lambda text: not any(tag in text for tag in TAGS))
ANSWER = WORDS.filter(lambda text: bool(text.strip()))
PIECES = st.lists(st.sampled_from([*TAGS, "a", " ", "\n", "12"]), max_size=14).map("".join)


@st.composite
def refined(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Thinking and its refine passages."""
    passages = draw(st.lists(WORDS, max_size=3))
    return draw(WORDS) + "".join(f"<refine>{p}</refine>{draw(WORDS)}" for p in passages), passages


@st.composite
def well_formed(draw: st.DrawFn) -> str:
    thinking, _ = draw(refined())
    a, b, c = draw(SPACE), draw(SPACE), draw(SPACE)
    return f"{a}<think>{thinking}</think>{b}<answer>{draw(ANSWER)}</answer>{c}"


@given(refined(), ANSWER, SPACE, SPACE, SPACE)
def test_a_well_formed_response_gives_its_parts(
    thinking: tuple[str, list[str]], answer: str, before: str, between: str, behind: str
) -> None:
    text, passages = thinking
    found = parse(f"{before}<think>{text}</think>{between}<answer>{answer}</answer>{behind}")
    assert found.well_formed and found.refines_balanced
    assert found.answer == answer.strip()
    assert [found.text(thought) for thought in found.thoughts] == [text.strip()]
    assert [found.text(passage) for passage in found.refines] == [passage.strip() for passage in passages]


@given(well_formed(), st.sampled_from(TAGS), st.data())
def test_a_tag_more_or_less_is_a_fault(response: str, tag: str, data: st.DataObject) -> None:
    ends = [match.end() for match in re.finditer("|".join(TAGS), response)]
    place = data.draw(st.sampled_from([0, *ends, len(response)]))
    assert not parse(response[:place] + tag + response[place:]).well_formed
    if tag in response:
        assert not parse(response.replace(tag, "", 1)).well_formed


@given(well_formed(), ANSWER, st.sampled_from(["before", "between", "behind"]))
def test_text_outside_the_tags_is_a_fault(response: str, text: str, where: str) -> None:
    there = {
        "before": text + response,
        "between": response.replace("</think>", f"</think>{text}"),
        "behind": response + text,
    }[where]
    found = parse(there)
    assert not found.well_formed
    assert found.fault == OUTSIDE
    assert found.answer == parse(response).answer


@given(PIECES, SPACE)
def test_an_answer_in_the_thinking_alone_is_none(thinking: str, space: str) -> None:
    assume("</think>" not in thinking)
    for response in (f"<think>{thinking}<answer>5</answer>", f"<think>{thinking}<answer>5</answer></think>{space}"):
        found = parse(response)
        assert found.answer is None and not found.well_formed


@given(well_formed(), SPACE)
def test_an_empty_answer_is_none(response: str, space: str) -> None:
    answer = parse(response).answer_span
    assert answer is not None
    found = parse(response[: answer.start] + space + response[answer.end :])
    assert found.answer is None and found.fault == EMPTY


@given(PIECES)
@example("<think><refine></think><answer>1</answer></refine>")
@example("</think></think><answer>1</answer>")
@example("</think><answer><think></answer>")
def test_any_text_is_read_and_its_spans_are_in_it(response: str) -> None:
    found = parse(response)
    for span in (*found.thoughts, *found.refines, *([found.answer_span] if found.answer_span else [])):
        assert 0 <= span.start <= span.end <= len(response)
    for passage in found.refines:
        assert sum(t.start <= passage.start and passage.end <= t.end for t in found.thoughts) == 1
        assert "refine>" not in found.text(passage)
    if found.answer_span is not None:
        assert "</think>" in response[: found.answer_span.start]
        assert all(t.end < found.answer_span.start or t.start > found.answer_span.end for t in found.thoughts)
    assert found.well_formed == (found.fault is None)
    assert not found.well_formed or (len(found.thoughts) == 1 and found.refines_balanced and found.answer is not None)


@given(PIECES, st.integers(0, 40))
def test_what_the_prompt_began_is_read_as_the_beginning(text: str, cut: int) -> None:
    before, response = text[:cut], text[cut:]
    whole, rest = parse(text), parse(response, before)
    assert (whole.fault, whole.refines_balanced) == (rest.fault, rest.refines_balanced)
    assert len(whole.thoughts) == len(rest.thoughts)
    if whole.answer_span is not None and whole.answer_span.start >= len(before):
        assert whole.answer == rest.answer


@pytest.mark.parametrize(
    ("response", "fault", "answer", "refines", "balanced"),
    [
        ("<think>a</think><answer>5</answer>", None, "5", 0, True),
        ("<think></think>\n<answer> 5 </answer>\n", None, "5", 0, True),
        ("<think>a<refine>b</refine></think><answer>5</answer>", None, "5", 1, True),
        ("<think>a<refine>b</refine><refine></refine></think><answer>5</answer>", None, "5", 2, True),
        ("<think>a</think><think>b</think><answer>5</answer>", "<think> 2 times", "5", 0, True),
        ("<think><think>a</think></think><answer>5</answer>", "<think> 2 times", "5", 0, True),
        ("<think>a</think><answer>4</answer><answer>5</answer>", "<answer> 2 times", "5", 0, True),
        ("<think>a</think><answer>4</answer><answer>5", "<answer> 2 times", "4", 0, True),
        ("<think>a</think><answer>4</answer><think>b", "<think> 2 times", "4", 0, True),
        ("<think>a</think><answer>4</answer><think><answer>5</answer></think>", "<think> 2 times", "4", 0, True),
        ("<think>a</think><answer>4<think>b</think></answer>", "<think> 2 times", None, 0, True),
        ("<think>a<refine>b</think><answer>5</answer>", UNBALANCED, "5", 0, False),
        ("<think>a</refine>b<refine></think><answer>5</answer>", UNBALANCED, "5", 0, False),
        ("<think><refine>a<refine>b</refine></refine></think><answer>5</answer>", UNBALANCED, "5", 1, False),
        ("<think>a</think><answer><refine>5</refine></answer>", UNBALANCED, "<refine>5</refine>", 0, False),
        ("<answer>5</answer><think>a</think>", "tags out of order", None, 0, True),
        ("a</think><answer>5</answer>", "no <think>", "5", 0, True),
        ("<answer>5</answer>", "no <think>", None, 0, True),
        ("<think>a <answer>5</answer>", "no </think>", None, 0, True),
        ("<think>a</think>5", "no <answer>", None, 0, True),
        ("", "no <think>", None, 0, True),
    ],
)  # fmt: skip
def test_examples(response: str, fault: str | None, answer: str | None, refines: int, balanced: bool) -> None:
    found = parse(response)
    assert (found.fault, found.answer, len(found.refines), found.refines_balanced) == (fault, answer, refines, balanced)


def test_a_chat_template_may_have_opened_the_thinking() -> None:
    before = opening("<|im_start|>user\n2 + 3?<|im_end|>\n<|im_start|>assistant\n<think>\n")
    assert before == "<think>\n"
    response = "a <refine>b</refine></think><answer>5</answer>"
    found = parse(response, before)
    assert found.well_formed and found.answer == "5" and found.text(found.refines[0]) == "b"
    assert found.response[found.thoughts[0].start : found.thoughts[0].end] == "a <refine>b</refine>"
    assert parse(response).fault == "no <think>"
    assert parse(f"<think>{response}", before).fault == "<think> 2 times"


def test_a_chat_template_may_have_closed_it_too() -> None:
    before = opening("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert before == "<think>\n\n</think>\n\n"
    assert parse("<answer>5</answer>", before).well_formed
    assert opening("Write <think> before you think.") == ""

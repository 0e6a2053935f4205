"""PASR's reward: what a response is paid for its format, its answer and its refining."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.grading.answer.tags import parse
from training.arithmetic import examples, problems
from training.reward import Reward, format_reward, refine_reward, reward_of

TAGS = ("<think>", "</think>", "<refine>", "</refine>", "<answer>", "</answer>")
WORDS = st.text(alphabet="ab 1\n", max_size=10)
SOME = WORDS.filter(lambda text: bool(text.strip()))
GOOD = "<think>2 + 2 = 5. <refine>It is 4.</refine></think><answer>4</answer>"


@st.composite
def responses(draw: st.DrawFn, most_refines: int = 3) -> str:
    """Well-formed responses."""
    passages = draw(st.lists(WORDS, max_size=most_refines))
    thinking = draw(WORDS) + "".join(f"<refine>{passage}</refine>{draw(WORDS)}" for passage in passages)
    return f"<think>{thinking}</think>\n<answer>{draw(SOME)}</answer>"


@given(responses())
def test_a_well_formed_response_is_paid(response: str) -> None:
    assert format_reward(response) == 1


@given(responses(), st.sampled_from(TAGS))
def test_a_doubled_tag_is_not(response: str, tag: str) -> None:
    """The released test lets doubled tags pass, since it asks for one of two counts only."""
    if tag in response:
        assert format_reward(response.replace(tag, tag + tag, 1)) == -1


@given(responses())
def test_doubled_parts_are_not(response: str) -> None:
    assert format_reward(response + response) == -1


@given(responses(), SOME, st.sampled_from(["before", "between", "behind"]))
def test_text_outside_the_tags_is_not(response: str, text: str, where: str) -> None:
    thinking, answer = response.split("\n<answer>")
    outside = {
        "before": text + response,
        "between": f"{thinking}{text}<answer>{answer}",
        "behind": response + text,
    }
    assert format_reward(outside[where]) == -1


@given(WORDS, WORDS)
def test_an_answer_in_the_thinking_only_is_not(thinking: str, answer: str) -> None:
    response = f"<think>{thinking}<answer>{answer}</answer></think>"
    assert format_reward(response) == -1
    assert parse(response).answer is None


@given(WORDS, st.text(alphabet=" \n", max_size=3))
def test_an_empty_answer_is_not(thinking: str, space: str) -> None:
    assert format_reward(f"<think>{thinking}</think><answer>{space}</answer>") == -1


@pytest.mark.parametrize(
    "thinking",
    [
        "<refine>a<refine>b</refine></refine>",
        "<refine>a",
        "a</refine>",
        "</refine>a<refine>",
        "<refine>a</refine><refine>b",
    ],
)
@pytest.mark.parametrize("correct", [True, False])
def test_nested_and_unbalanced_refines_are_not_paid(thinking: str, correct: bool) -> None:
    response = f"<think>{thinking}</think><answer>4</answer>"
    assert format_reward(response) == -1
    assert refine_reward(response, correct, 0.5) == 0


def test_a_refine_outside_the_thinking_is_not_paid() -> None:
    response = "<think>a</think><answer><refine>b</refine>4</answer>"
    assert format_reward(response) == -1
    assert refine_reward(response, True, 0.0) == 0


@pytest.mark.parametrize(
    ("correct", "baseline", "zeta", "worth"),
    [
        (True, 0.875, 0.0, 1.0),
        (True, 0.0, 0.0, 1.0),
        (False, 0.125, 0.0, -1.0),
        (False, 1.0, 0.0, -1.0),
        (True, 1.0, 0.0, -0.5),
        (False, 0.0, 0.0, -0.5),
        (True, 0.75, 0.25, -0.5),
        (True, 0.625, 0.25, 1.0),
        (False, 0.25, 0.25, -0.5),
        (False, 0.375, 0.25, -1.0),
    ],
)
def test_refining_is_paid_by_comparison(correct: bool, baseline: float, zeta: float, worth: float) -> None:
    assert refine_reward(GOOD, correct, baseline, zeta) == worth


@given(responses(most_refines=0), st.booleans(), st.floats(0, 1), st.floats(0, 1))
def test_a_response_that_does_not_refine_has_nothing_to_compare(
    response: str, correct: bool, baseline: float, zeta: float
) -> None:
    assert refine_reward(response, correct, baseline, zeta) == 0


@given(st.lists(st.sampled_from([*TAGS, "a", " "])).map("".join) | responses(), st.booleans(), st.floats(0, 1))
def test_a_reward_has_three_parts_of_few_values(response: str, correct: bool, baseline: float) -> None:
    reward = reward_of(response, correct, baseline)
    assert reward.format in (-1, 1) and reward.accuracy == correct and reward.refine in (-1, -0.5, 0, 1)
    assert reward.total == reward.format + reward.accuracy + reward.refine


def test_the_parts_are_told_apart() -> None:
    assert reward_of(GOOD, True, 0.5) == Reward(format=1, accuracy=1, refine=1)
    assert reward_of(GOOD + ".", False, 0.0) == Reward(format=-1, accuracy=0, refine=-0.5)


@given(st.integers(0, 50))
def test_worked_examples_are_well_formed_and_right(seed: int) -> None:
    worked, asked = examples(20, seed), problems(40, seed)
    for example, problem in zip(worked, asked, strict=False):
        assert example.problem == problem.text
        assert format_reward(example.response) == 1
        assert parse(example.response).answer == str(problem.answer)
    for problem in asked:
        # The steps are what they say they are.
        for expression, value in problem.steps:
            assert eval(expression) == value


def test_the_examples_refine_right_and_wrong_first_attempts() -> None:
    responses = [example.response for example in examples(100, 0)]
    mended = sum("<refine>Not " in response for response in responses)
    confirmed = sum(", right.</refine>" in response for response in responses)
    assert mended > 10 and confirmed > 10 and mended + confirmed < 80
    assert len({problem.text for problem in problems(1000, 0)}) == 1000

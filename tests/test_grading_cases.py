"""The cases of grading_cases.json, and limits that are better made than written down."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from evaluators.grading import equivalent, grade

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("grading_cases.json").read_text("utf-8"))
BOMBS = {
    "digits": "9" * 100_000,
    "groups": "{" * 5_000 + "5" + "}" * 5_000,
    "fractions": r"\frac{1}{" * 500 + "5" + "}" * 500,
    "roots": r"\sqrt{" * 5_000 + "5" + "}" * 5_000,
    "text": "five " * 40_000,
    "brackets": "(" * 100_000,
    "braces": r"\{" * 50_000,
    "boxes": r"\boxed{" * 20_000,
    "tower": "^".join(["9"] * 500),
    "spaces": " " * 200_000 + "6",
    "operators": "5+" * 20_000,
}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['gold'][:20]} | {c['response'][-30:]}")
def test_case_has_its_verdict(case: dict[str, Any]) -> None:
    verdict = grade(case["response"], case["gold"], case["kind"], case.get("finish_reason"))
    if case["status"] == "not correct":
        assert verdict.status != "correct", case["why"]
    else:
        assert verdict.status == case["status"], case["why"]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['gold'][:20]} | {c['response'][-30:]}")
def test_equivalence_of_every_case_is_symmetric(case: dict[str, Any]) -> None:
    answer = grade(case["response"], case["gold"], case["kind"], case.get("finish_reason")).answer
    if answer is not None:
        there, back = (equivalent(x, y, case["kind"]) for x, y in ((case["gold"], answer), (answer, case["gold"])))
        assert there == back


@pytest.mark.parametrize("kind", ["latex", "integer", "numeric", "choice"])
@pytest.mark.parametrize("name", BOMBS)
def test_no_size_or_nesting_is_correct_or_slow(name: str, kind: Any) -> None:
    start = time.process_time()
    for response in (rf"\boxed{{{BOMBS[name]}}}", BOMBS[name], rf"The answer is {BOMBS[name]}"):
        assert grade(response, "C" if kind == "choice" else "7", kind).status != "correct"
    assert time.process_time() - start < 9.0


@pytest.mark.parametrize(
    "phrase",
    ["answer: ", "(B", "**", "$", r"\[", "#### ", "final answer is ", "A, ", "<think>", "</think>", "`", r"\boxed"],
)
@pytest.mark.parametrize("kind", ["latex", "numeric", "choice"])
def test_extraction_is_linear_in_repeated_phrases(phrase: str, kind: Any) -> None:
    start = time.process_time()
    grade(phrase * (200_000 // len(phrase)), "C" if kind == "choice" else "7", kind)
    assert time.process_time() - start < 3.0


@pytest.mark.parametrize(
    "code",
    [
        '__import__("os").system("touch {path}")',
        "exec(\"open('{path}', 'w')\")",
        "eval(\"open('{path}', 'w')\")",
        "open('{path}','w')",
        "().__class__.__bases__[0].__subclasses__()",
        "\\input{{{path}}}",
        "\\write18{{touch {path}}}",
        "lambda: open('{path}','w')",
        "4 if open('{path}','w') else 4",
    ],
)
@pytest.mark.parametrize("template", [r"\boxed{{{0}}}", "The answer is {0}.", "{0}", "$${0}$$"])
def test_code_in_an_answer_is_never_run(code: str, template: str, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    response = template.format(code.format(path=target))
    assert grade(response, "5", "latex").status != "correct"
    assert grade(response, "5", "integer").status != "correct"
    equivalent(code.format(path=target), "5", "latex")
    assert list(tmp_path.iterdir()) == []


def test_no_source_file_evaluates_text() -> None:
    folder = Path(__file__).resolve().parents[1] / "evaluators" / "grading"
    sources = {path.name: path.read_text("utf-8") for path in folder.rglob("*.py")}
    assert len(sources) > 30
    for name, source in sources.items():
        for forbidden in (r"(?<![\w.])(?:eval|exec)\(", r"(?:parse_expr|sympify|eval_expr)\(", r"\bS\("):
            assert not re.search(forbidden, source), (name, forbidden)

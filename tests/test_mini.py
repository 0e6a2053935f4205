"""The embedded problems: every answer equals its row's expression, worked out here."""

from __future__ import annotations

import ast
import json
import operator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from evaluators.benchmarks.data_config import DataConfig
from evaluators.benchmarks.questions import load_questions
from evaluators.mini import BENCHMARK

FILE = Path(__file__).resolve().parents[1] / "evaluators" / "benchmarks" / "data" / "mini.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text().splitlines()]
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def value_of(expression: str) -> Fraction:
    def visit(node: ast.expr) -> Fraction:
        if isinstance(node, ast.BinOp):
            return Fraction(OPERATORS[type(node.op)](visit(node.left), visit(node.right)))  # type: ignore[index]
        assert isinstance(node, ast.Constant)
        assert type(node.value) is int
        return Fraction(node.value)

    return visit(ast.parse(expression, mode="eval").body)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_answer_equals_its_expression(row: dict[str, Any]) -> None:
    assert Fraction(row["answer"]) == value_of(row["expression"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_expression_uses_the_numbers_of_the_problem(row: dict[str, Any]) -> None:
    """Words that stand for numbers aside, no number comes from nowhere: catches an answer to another problem."""
    implied = {2, 4, 100}  # half, double, twice, squared | a square's sides | per cent
    in_problem = {int(digits) for digits in "".join(c if c.isdigit() else " " for c in row["problem"]).split()}
    in_expression = {node.value for node in ast.walk(ast.parse(row["expression"])) if isinstance(node, ast.Constant)}
    assert in_expression <= in_problem | implied


def test_there_are_enough_problems_and_all_differ() -> None:
    assert len(ROWS) >= 60
    assert len({row["problem"] for row in ROWS}) == len({row["id"] for row in ROWS}) == len(ROWS)


def test_mini_needs_no_network_and_hides_its_answers() -> None:
    questions = load_questions(BENCHMARK, DataConfig(benchmark="mini"), 42)
    assert [(q.prompt, q.gold) for q in questions] == [(row["problem"], row["answer"]) for row in ROWS]
    assert {q.kind for q in questions} == {"numeric"}
    assert not any(q.metadata for q in questions)

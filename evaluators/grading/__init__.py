"""Grading: what a response answers, and whether that equals the gold answer.

Nothing here reads or writes a run's files, and no text of a model is ever evaluated as code.
"""

from evaluators.grading.answer.extract import extract
from evaluators.grading.equivalence import classes, equivalent
from evaluators.grading.grade import Verdict, grade
from evaluators.grading.pool.pool import GradingPool

GRADING_VERSION = "3"
"""Changes whenever a verdict may; results of different versions are not compared."""

__all__ = ["GRADING_VERSION", "GradingPool", "Verdict", "classes", "equivalent", "extract", "grade"]

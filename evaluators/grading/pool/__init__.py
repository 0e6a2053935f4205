"""Grading in processes that can be killed.

What a verdict is lives in `evaluators.grading`.
"""

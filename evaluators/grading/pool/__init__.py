"""Grading in processes that can be killed.

Starting, asking and killing them lives here; what a verdict is lives in `evaluators.grading`.
"""

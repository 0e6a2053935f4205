"""The second reader: what the exact one cannot decide, read by latex2sympy2_extended and compared by sympy.

Slow to import and unbounded in time: only a grading process that can be killed loads it.
"""

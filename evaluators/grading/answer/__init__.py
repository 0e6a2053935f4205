"""From a response to the answer that it gives, or none.

Whether an answer is right is decided in `evaluators.grading.equivalence`.
"""

"""Ways to generate: one file for each method, found by its name.

`contract` says what a method is and `registry` finds them; `srgen.engines.method_rows` applies them to the rows of a
batch. SRGen itself has a larger part in every step than the contract gives: its numerics lie in `srgen.method`, and the
engines drive it.
"""

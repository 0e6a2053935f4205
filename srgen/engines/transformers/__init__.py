"""The engine on transformers models: a batch whose rows come and go between steps.

What a row's entropy or correction is lives in `srgen.method`.
"""

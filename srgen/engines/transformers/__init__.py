"""The engine on transformers models: a batch whose rows come and go between steps.

Batches, caches and attention live here; what an entropy or a correction is lives in `srgen.method`.
"""

"""The OpenAI-compatible server over the transformers engine: `python -m srgen.server --config FILE`.

HTTP, its bodies and its errors live here; what a reflection is, and how a batch is decoded, does not.
"""

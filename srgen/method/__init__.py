"""SRGen itself: entropies, thresholds, contexts, reflections, the noise of sampling. Tensors in, tensors out.

Nothing here knows of an engine, a tokenizer or a file.
"""

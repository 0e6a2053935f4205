"""SRGen itself: entropies, thresholds, contexts, reflections, the noise of sampling. Tensors in, tensors out.

Nothing here knows an engine, a tokenizer, a file or a benchmark; of `srgen.engines` it uses the contract, `base`.
"""

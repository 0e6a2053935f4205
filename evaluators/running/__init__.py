"""From a `RunConfig` and questions to a finished run folder: scheduler, workers, fleets, progress.

It stands above all other rooms, so that only commands import it; no logits and no statistics live here.
"""

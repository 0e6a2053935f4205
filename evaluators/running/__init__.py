"""From a `RunConfig` and questions to a finished run folder: scheduler, workers, fleets, progress.

It stands above all other rooms: only the commands import it. No logits and no statistics live here.
"""

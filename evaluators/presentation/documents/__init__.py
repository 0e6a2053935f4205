"""What the pages show, as JSON documents: of a set of runs, a pair, a question, a sample and a run's progress.

The report embeds them and the view serves them; nothing here knows of either, and no markup is made.
"""

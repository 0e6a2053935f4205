"""What a benchmark is, its questions and the rows that they come from.

Nothing here knows of runs, models or grades, and no other room is imported.
"""

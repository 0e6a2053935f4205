"""What a run's folder holds: its schema, the journal that writes it, and what reads it again.

Nothing here generates, grades or computes a metric.
"""

"""Tables, plots and pages of what `analysis` found.

Metrics, intervals and p-values come from `analysis`; here they are formatted and drawn.
"""

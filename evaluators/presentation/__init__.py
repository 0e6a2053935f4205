"""Tables, plots and pages of what `analysis` found.

No number is computed here.
"""

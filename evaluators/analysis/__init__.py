"""The numbers: metrics, intervals, p-values, power and comparisons, from records alone.

Pure where it can be: files are read by `summary` and `summary_rows` only, and nothing here prints.
"""

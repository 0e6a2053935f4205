"""The numbers: metrics, intervals, p-values, power and comparisons, from records alone.

`metrics`, `inference`, `power` and `comparison` are pure; the others read and write a run's CSV files. Nothing prints.
"""

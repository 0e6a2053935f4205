"""What a run depends on (`RunConfig`), and how flags, YAML and the environment become one.

It imports `benchmarks` and `srgen`; nothing here reads questions or starts a run.
"""

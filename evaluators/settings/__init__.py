"""What a run depends on (`RunConfig`), and how flags, YAML and the environment become one.

Of `benchmarks` it knows `Benchmark` and `DataConfig` only; nothing here reads questions or starts a run.
"""

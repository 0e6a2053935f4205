"""The way of the released code, for comparison: one sample at a time, every trigger a new pass.

`loop` is the engine and stands on `srgen.tnot_decorator`, which stands on `tnot_pass` and `tnot_settings`; the method
itself is `srgen.method`'s.
"""

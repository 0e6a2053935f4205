"""The way of the released code, for comparison: one sample at a time, every trigger a new pass.

Nothing else imports it but `srgen.tnot_decorator` and `srgen.api`.
"""

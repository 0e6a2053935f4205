"""One module per format; each turns a file or folder into a `Source`.

A reader raises SRGenError, naming file and line, for what it cannot read.
"""

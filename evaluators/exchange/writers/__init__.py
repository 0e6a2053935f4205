"""One module per format; each turns a run into the files of another tool, by its specification.

What is not in a run's folder is not made up for them; the tools themselves are not imported.
"""

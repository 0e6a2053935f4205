"""SRGen's engine inside other evaluation tools: lm-eval's and inspect's models.

Each module imports its tool, which is an extra; what they share imports none.
"""

"""Evaluations: the files here are benchmarks and commands, the folders are the rooms that they are made from.

A command parses, calls and prints; everything about logits is in `srgen`.
"""

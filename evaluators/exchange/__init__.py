"""Runs to and from other tools: readers and writers of their files, and matching with a benchmark's questions.

What is read becomes an ordinary run folder; nothing here generates.
"""

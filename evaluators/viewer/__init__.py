"""The live view's server: which runs a results folder holds, their documents over HTTP, and what is new as events.

It only reads. What a document holds is presentation's affair; nothing here generates, grades or writes.
"""

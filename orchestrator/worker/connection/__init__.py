"""Our one connection to a target: its time-outs, its lock, and no other in its place.

Imports ``dialects`` and ``process``.
Never runs user code before the target's lock is held, where a job is to change it.
"""

"""Set-based reading of servers: heads, fingerprints, rights, a whole fleet at once.

Imports ``dialects`` and what is pure.
Never changes anything, never runs ``env.py``, and starts no worker.
"""

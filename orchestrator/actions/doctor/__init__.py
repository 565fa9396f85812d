"""``doctor``: what is in the way of a first run, one check after the other.

Imports ``runs`` for the ledger's place, and what reads servers and scripts.
Never changes a target, a server or a file.
"""

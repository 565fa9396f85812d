"""One job on one target: runs the user's ``env.py`` and revisions, in a process of its own.

Imports ``inspection``, ``dialects``, ``rollout``, ``fleet`` and ``config``; rooms import downwards.
Never opens the ledger, never sees another target, never prints.
"""

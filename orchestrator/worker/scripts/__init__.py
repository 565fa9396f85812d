"""A database's Alembic scripts: configuration, revisions, graph.

Imports ``config`` and ``rollout``.
Never connects anywhere.
"""

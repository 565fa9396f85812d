"""Moves one target along its path: upgrade, downgrade, stamp, and where its heads are.

Imports ``environment`` and what lies below.
Never believes that a revision is in before the version table says so, read again.
"""

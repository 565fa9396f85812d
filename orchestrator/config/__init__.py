"""``environments.toml``: its models, its secrets, and every mistake in it with its place.

Imports nothing of this program but ``errors``.
Never connects anywhere; secrets are resolved where they are used, not where they are read.
"""

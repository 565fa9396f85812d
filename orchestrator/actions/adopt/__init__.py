"""Adopt an existing Alembic project: from what is there to an ``environments.toml``."""

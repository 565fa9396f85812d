"""``init`` where an Alembic project is already: from what is there to an ``environments.toml``.

Imports ``config``, ``fleet`` and ``snapshot``; reads the text of files.
Never runs or changes anything of the project that it adopts.
"""

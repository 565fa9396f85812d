"""Compares the models of the current folder with databases whose URLs stdin lists.

A program of its own, which imports nothing but what it needs.
"""

import json
import sys
from time import monotonic


def main() -> None:
    """Print what differs, and how long that took without the imports."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine, pool

    sys.path.insert(0, "")
    from models import metadata  # type: ignore[import-not-found]  # of the project

    began, verdicts = monotonic(), []
    for url in sys.stdin.read().split():
        with create_engine(url, poolclass=pool.NullPool).connect() as connection:
            found = compare_metadata(MigrationContext.configure(connection), metadata)
        verdicts.append("differs" if found else "same")
    json.dump({"seconds": monotonic() - began, "verdicts": verdicts}, sys.stdout)


if __name__ == "__main__":
    main()

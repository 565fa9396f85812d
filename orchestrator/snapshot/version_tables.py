"""Where a database keeps its heads, as far as that is written down."""

import os.path
from pathlib import Path

from orchestrator.config.alembic_file import AlembicFileError, script_location
from orchestrator.config.models import Database
from orchestrator.fleet.version_table import VersionTable
from orchestrator.snapshot.env_py_text import read_env_py


def written_version_table(database: Database, folder: Path) -> VersionTable | None:
    """Return where the heads are by the file, else by the text of ``env.py``.

    ``None`` where that text computes it: only a run of ``env.py`` can tell then. A module that
    ``env.py`` imports may still pass another one; a target without this one asks for that.
    """
    if database.version_table is not None or database.version_table_schema is not None:
        name = database.version_table or VersionTable().name
        return VersionTable(name, database.version_table_schema)
    text = _env_py(database, folder)
    if "version_table" not in text:
        return VersionTable()
    found = read_env_py(text)
    if found.version_table is None and found.version_table_schema is None:
        return None
    return VersionTable(found.version_table or VersionTable().name, found.version_table_schema)


def _env_py(database: Database, folder: Path) -> str:
    try:
        location, base, _ = script_location(database, folder)
        with open(os.path.join(base, location, "env.py"), errors="replace") as file:  # noqa: PTH118, PTH123 - Path's may raise where it may not look
            return file.read()
    except (AlembicFileError, OSError):  # a package's, or no file: only Alembic finds it
        return "version_table"

"""Histories of every shape that Alembic knows, as files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_REVISION = '''"""{id}"""
from alembic import op

revision = {id!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}


def upgrade():
    op.execute("CREATE TABLE IF NOT EXISTS log (line VARCHAR(20))")
    op.execute("CREATE TABLE t_{id} (id INTEGER)")
    op.execute("INSERT INTO log VALUES ('+{id}')")


def downgrade():
    op.execute("DROP TABLE t_{id}")
    op.execute("INSERT INTO log VALUES ('-{id}')")
'''

# Only what the orchestrator needs, or plain Alembic: it knows neither.
ENV_PY = """
from alembic import context
from sqlalchemy import MetaData, create_engine

def no_tables(name, type_, parents):
    return type_ != "table"

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(
        connection=connection, target_metadata=MetaData(), include_name=no_tables
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
"""


@dataclass(frozen=True)
class Rev:
    """One revision file. It logs that it ran, so that the order shows, too."""

    down: str | tuple[str, ...] | None = None
    label: str | tuple[str, ...] | None = None
    depends: str | tuple[str, ...] | None = None
    folder: str = "versions"

    def write(self, location: Path, name: str) -> None:
        path = location / self.folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            _REVISION.format(id=name, down=self.down, labels=self.label, depends=self.depends)
        )


@dataclass(frozen=True)
class History:
    """A history, what to ask of it, and where a database may stand before."""

    revisions: Mapping[str, Rev]
    asked: tuple[str, ...] = ()
    """Revisions to go to, besides those that are asked of every history."""
    starts: tuple[tuple[str, ...], ...] = ()
    """Upgrades that lead from an empty database to where commands start, besides ``heads``."""
    folders: tuple[str, ...] = field(default=())

    def write(self, root: Path) -> Path:
        """Write ``alembic.ini`` and all scripts; return the file."""
        location = root / "migrations"
        location.mkdir(parents=True)
        (location / "env.py").write_text(ENV_PY)
        for name, revision in self.revisions.items():
            revision.write(location, name)
        lines = ["[alembic]", "script_location = %(here)s/migrations", "prepend_sys_path = ."]
        # Alembic 1.16 renamed the key, and reads the older one only where the new one is missing.
        lines += ["path_separator = :", "version_path_separator = :"]
        if self.folders:
            folders = ":".join(f"%(here)s/migrations/{name}" for name in self.folders)
            lines.append(f"version_locations = {folders}")
        file = root / "alembic.ini"
        file.write_text("\n".join(lines) + "\n")
        return file


HISTORIES = {
    "line": History(
        {"1a2b01": Rev(), "1a2b02": Rev("1a2b01"), "1a2cff": Rev("1a2b02")},
        asked=("1a2b", "1a2c", "1a2b01+1", "1a2b01+5", "1a2cff-1", "1a2b02-1"),
        starts=(("1a2b01",), ("+2",)),
    ),
    "two heads": History(
        {
            "aaaa01": Rev(),
            "bbbb01": Rev("aaaa01", "left"),
            "bbbb02": Rev("bbbb01"),
            "cccc01": Rev("aaaa01", ("right", "east")),
        },
        asked=(
            *("left@head", "left@heads", "left@+1", "left@-1", "left@base", "left", "east"),
            *("right@head", "right@cccc01", "left@cccc01", "left@aaaa01", "bbbb02,cccc01"),
            *("aaaa01+1", "bbbb01+1", "cccc01-1", "bbbb02-2", "bbbb", "left@bbbb", "west@head"),
        ),
        starts=(("aaaa01",), ("left@+2",), ("bbbb02",), ("cccc01",)),
    ),
    "merged": History(
        {
            "aaaa01": Rev(),
            "bbbb01": Rev("aaaa01", "left"),
            "cccc01": Rev("aaaa01"),
            "dddd01": Rev(("bbbb01", "cccc01"), "merge"),
            "dddd02": Rev("dddd01"),
        },
        asked=("left@head", "left@+1", "merge@head", "left@base", "dddd01-1", "bbbb01,cccc01"),
        starts=(("bbbb01",), ("bbbb01", "cccc01"), ("dddd01",)),
    ),
    "several bases": History(
        {
            "aaaa01": Rev(None, "users"),
            "aaaa02": Rev("aaaa01"),
            "bbbb01": Rev(None, "orders"),
            "bbbb02": Rev("bbbb01"),
            "bbbb03": Rev("bbbb02"),
        },
        asked=("users@head", "users@base", "orders@+1", "orders@-1", "orders@bbbb01", "users"),
        starts=(("users@head",), ("aaaa01", "bbbb02"), ("bbbb01",)),
    ),
    "depends on": History(
        {
            "aaaa01": Rev(None, "core"),
            "aaaa02": Rev("aaaa01"),
            "pppp01": Rev(None, "plug", "aaaa01"),
            "pppp02": Rev("pppp01", None, ("aaaa02",)),
            "qqqq01": Rev(None, "quick", "plug"),
        },
        asked=("plug@head", "plug@-1", "core@base", "quick@head", "core@head", "plug@base"),
        starts=(("plug@head",), ("core@head",), ("pppp01",), ("quick@head",)),
    ),
    "several folders": History(
        {
            "aaaa01": Rev(None, "core", folder="core/versions"),
            "aaaa02": Rev("aaaa01", folder="core/versions"),
            "bbbb01": Rev("aaaa01", "billing", folder="billing"),
            "bbbb02": Rev("bbbb01", None, "aaaa02", folder="billing"),
            "cccc01": Rev(None, "audit", folder="audit dir"),
        },
        asked=("billing@head", "core@head", "billing@+1", "audit@base", "billing@base"),
        starts=(("aaaa02",), ("billing@head",), ("audit@head", "aaaa01")),
        folders=("core/versions", "billing", "audit dir", "not there"),
    ),
    "crossed": History(
        {
            "aaaa01": Rev(),
            "bbbb01": Rev("aaaa01", "left"),
            "cccc01": Rev("aaaa01", "right"),
            "dddd01": Rev(("bbbb01", "cccc01")),
            "eeee01": Rev(("bbbb01", "cccc01")),
            "ffff01": Rev(("dddd01", "eeee01")),
            "ffff02": Rev("eeee01"),
        },
        asked=("dddd01,eeee01", "eeee01-1", "left@head", "ffff02", "left@-1"),
        starts=(("bbbb01",), ("dddd01",), ("dddd01", "eeee01")),
    ),
}

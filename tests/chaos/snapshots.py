"""What a target's whole schema is read with."""

from tests.chaos.revisions import MARIADB, MYSQL, POSTGRES, SCHEMAS, SQLITE

_COLUMNS = (
    "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, "
    "coalesce(column_default, 'none') FROM information_schema.columns WHERE table_schema = "
)
_PG = (
    _COLUMNS + "current_schema()",
    """SELECT tablename, indexname, i.indisvalid FROM pg_indexes
    JOIN pg_index i ON i.indexrelid = to_regclass(indexname)
    WHERE schemaname = current_schema()""",
)
_MY = (
    _COLUMNS + "DATABASE()",
    """SELECT table_name, index_name, column_name FROM information_schema.statistics
    WHERE table_schema = DATABASE()""",
)
SCHEMA_OF = {
    MARIADB: _MY,
    MYSQL: _MY,
    POSTGRES: _PG,
    SCHEMAS: _PG,
    SQLITE: ("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL",),
}

"""MySQL and MariaDB: DDL commits by itself; locks by name, server-wide, held by a session."""

from collections.abc import Sequence

from orchestrator.dialects.base import Fault, Timeouts

# https://dev.mysql.com/doc/mysql-errors/8.4/en/ and https://mariadb.com/kb/en/mariadb-error-codes/
_FAULTS = {
    1146: Fault.NO_TABLE,
    1824: Fault.NO_TABLE,  # that a foreign key names
    1205: Fault.LOCK_WAIT,
    1213: Fault.DEADLOCK,
    3572: Fault.LOCK_WAIT,  # NOWAIT
    1969: Fault.STATEMENT_TIMEOUT,  # MariaDB
    3024: Fault.STATEMENT_TIMEOUT,  # MySQL
    1040: Fault.CONNECTIONS,
    1203: Fault.CONNECTIONS,  # of this user
    1135: Fault.CONNECTIONS,  # no thread for one
    1226: Fault.LIMIT,
    1037: Fault.MEMORY,
    1038: Fault.MEMORY,  # for sorting
    1041: Fault.MEMORY,
    1206: Fault.MEMORY,  # for locks
    1021: Fault.DISK,
    1114: Fault.DISK,  # the table is full
    2002: Fault.UNREACHABLE,
    2003: Fault.UNREACHABLE,
    1044: Fault.REFUSED,
    1045: Fault.REFUSED,
    1049: Fault.MISSING,
    1698: Fault.REFUSED,
    1142: Fault.DENIED,  # a table
    1143: Fault.DENIED,  # a column
    1227: Fault.DENIED,  # what needs a right of the server
    1370: Fault.DENIED,  # a routine
    1410: Fault.DENIED,  # GRANT
    1050: Fault.EXISTS,  # table
    1060: Fault.EXISTS,  # column
    1061: Fault.EXISTS,  # index
    1091: Fault.EXISTS,  # nothing to drop
    1826: Fault.EXISTS,  # foreign key
    1051: Fault.EXISTS,  # no table to drop
    1053: Fault.LOST,  # server shutdown in progress
    1317: Fault.LOST,  # the query was killed
    1927: Fault.LOST,  # the connection was killed
    2006: Fault.LOST,
    2013: Fault.LOST,
    2055: Fault.LOST,
    0: Fault.LOST,  # PyMySQL's own, for a connection that is closed already
}


class MySQL:
    """MySQL 8 and MariaDB 10."""

    transactional_ddl = False

    def on_connect(self, timeouts: Timeouts, schema: str | None, label: str) -> Sequence[str]:  # noqa: ARG002 - the servers show no label
        """Short waits for metadata and row locks, and the statement time-out.

        MySQL's ``max_execution_time`` limits SELECT only; MariaDB's limits every statement.
        """
        wait = timeouts.lock_seconds
        sql = f"SET SESSION lock_wait_timeout={wait}, innodb_lock_wait_timeout={wait}"
        if timeouts.statement is not None:
            # Each server runs its own comment: MariaDB the first, MySQL 8 the second.
            sql += f"/*M! , max_statement_time={timeouts.statement:g} */"
            sql += f"/*!80000 , max_execution_time={timeouts.statement * 1000:.0f} */"
        return (sql,)

    def greeting(self) -> str:
        """The isolation level is a variable of another name on each server."""
        return (
            f"SELECT ({self.lock_key()}), DATABASE(), CONNECTION_ID(), NULL, VERSION(),"
            " @@sql_mode, @@lower_case_table_names"
            "/*M! , @@tx_isolation *//*!80000 , @@transaction_isolation */"
        )

    def use_schema(self, schema: str) -> None:
        """There is none."""

    def lock_key(self) -> str:
        """The database's name, hashed: a lock's name has 64 characters at most.

        The first 40 digits of SHA-256: MySQL 9 has no SHA1 and no MD5 any more.
        """
        name = "IF(@@lower_case_table_names = 0, DATABASE(), LOWER(DATABASE()))"
        return f"SELECT CONCAT('orchestrator:', LEFT(SHA2({name}, 256), 40))"

    def acquire(self, key: str, timeouts: Timeouts) -> str:
        """1 if it was had, 0 after the time-out."""
        return f"SELECT GET_LOCK('{key}', {timeouts.lock_seconds})"

    def held(self, key: str) -> str:
        """1 while this session holds it."""
        return f"SELECT IS_USED_LOCK('{key}') = CONNECTION_ID()"

    def holder(self, key: str) -> str:
        """The connection that holds it. Of another user only its id, without PROCESS."""
        return (
            "SELECT CONCAT('connection ', l.id, COALESCE(CONCAT(' of ', p.user, '@', p.host,"
            " ', ', LOWER(p.command), ' for ', p.time, ' s'), ''))"
            f" FROM (SELECT IS_USED_LOCK('{key}') AS id) l"
            " LEFT JOIN information_schema.processlist p ON p.id = l.id WHERE l.id IS NOT NULL"
        )

    def left_behind(self, statement: str) -> None:
        """Nothing: a statement that fails is taken back whole."""

    def fault(self, error: BaseException) -> Fault:
        """By the server's or the client's error number; PyMySQL's RuntimeError has none."""
        if isinstance(error, RuntimeError) and "'cryptography' package" in str(error):
            return Fault.NO_CRYPTOGRAPHY
        code = getattr(error, "errno", None) or (error.args[0] if error.args else None)
        return _FAULTS.get(code, Fault.OTHER) if isinstance(code, int) else Fault.OTHER

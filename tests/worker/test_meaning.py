"""What statements may do, by what they say."""

import pytest

from orchestrator.worker.statements.meaning import Kind, kinds

READS, CALLS, WRITES, ENDS, OTHER = Kind


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT a FROM b", [READS]),
        ("-- why\nSELECT a FROM b;", [READS]),
        ("/* why */ (SELECT a FROM b)", [READS]),
        ("SELECT count(*) FROM b", [CALLS]),
        ("SELECT a INTO b FROM c", [WRITES]),
        ("SHOW TABLES", [READS]),
        ("SET lock_timeout = 3", [READS]),
        ("SET autocommit = 1", [OTHER]),
        ("SET STATEMENT max_statement_time = 3 FOR ALTER TABLE a ADD b INT", [OTHER]),
        ("EXPLAIN SELECT 1", [READS]),
        ("EXPLAIN ANALYZE DELETE FROM a", [OTHER]),
        ("INSERT INTO a VALUES ('COMMIT; DROP TABLE a')", [WRITES]),
        ("WITH a AS (DELETE FROM b RETURNING c) SELECT c FROM a", [WRITES]),
        ("INSERT INTO a VALUES (1); COMMIT; UPDATE a SET b = 1", [WRITES, ENDS, WRITES]),
        ("  start  transaction", [ENDS]),
        ("SELECT '--'; DROP TABLE a", [READS, OTHER]),
        ("CALL anything()", [OTHER]),
        ("SELECT 'never closed; COMMIT", [READS, ENDS]),
        ("", []),
    ],
)
@pytest.mark.parametrize("mysql", [True, False])
def test_kinds(statement: str, expected: list[Kind], mysql: bool) -> None:
    assert kinds(statement, mysql=mysql) == expected


def test_each_server_has_its_own_literals_and_comments() -> None:
    backslash = r"INSERT INTO a VALUES ('C:\'); COMMIT; INSERT INTO a VALUES ('')"
    assert kinds(backslash, mysql=False) == [WRITES, ENDS, WRITES]
    assert kinds(r"SELECT E'it\'s; COMMIT'", mysql=False) == [READS]
    assert kinds(r"SELECT 'it\'s; COMMIT'", mysql=True) == [READS]
    assert kinds("SELECT $x$; COMMIT $x$", mysql=False) == [READS]
    assert kinds("/*!40000 ALTER TABLE a ENABLE KEYS */", mysql=True) == [OTHER]
    assert kinds("/*M! ALTER TABLE a ENABLE KEYS */", mysql=True) == [OTHER]
    assert kinds("# why; COMMIT\nSELECT 1", mysql=True) == [READS]
    assert kinds("SELECT 5--3; DROP TABLE a", mysql=True) == [READS, OTHER]

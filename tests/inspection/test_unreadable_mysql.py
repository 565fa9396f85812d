"""Databases of MySQL and MariaDB that can't be read, or not all of them, among others that can."""

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy import make_url

from orchestrator.dialects import Fault
from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection import fleet
from orchestrator.inspection.reading import Reading, Source
from tests.inspection.looking import place
from tests.inspection.mysql_databases import made, run
from tests.servers import PASSWORD, MariaDB, unique

VERSIONS = "CREATE TABLE alembic_version (version_num varchar(32){}) {}; {}"
ROW = "INSERT INTO alembic_version VALUES ('{}')"
GOOD = VERSIONS.format("", "", ROW.format("good")) + "; CREATE TABLE t (id int)"
SCHEMAS = {
    "good": GOOD,
    "no version table": "CREATE TABLE t (id int)",
    "nothing": "DO 1",
    "no heads": VERSIONS.format("", "", "DO 1"),
    "latin1": VERSIONS.format(" CHARACTER SET latin1", "", ROW.format("é")),
    "utf16": VERSIONS.format(" CHARACTER SET utf16", "", ROW.format("é")),
    "binary": VERSIONS.format(" COLLATE utf8mb4_bin", "", ROW.format("x")),
    "other collation": VERSIONS.format(" COLLATE utf8mb4_unicode_ci", "", ROW.format("x")),
    "bytes": "CREATE TABLE alembic_version (version_num varbinary(9)); " + ROW.format("x"),
    "MyISAM": VERSIONS.format("", "ENGINE=MyISAM", ROW.format("x")),
    "a view of versions": "CREATE VIEW alembic_version AS SELECT 'x' AS version_num",
    "a broken view of versions": "CREATE TABLE gone (version_num int);"
    "CREATE VIEW alembic_version AS SELECT * FROM gone; DROP TABLE gone",
    "no such column": "CREATE TABLE alembic_version (version int)",
    "a broken view": f"{GOOD}; CREATE TABLE gone (id int);"
    " CREATE VIEW v AS SELECT * FROM gone; DROP TABLE gone",
    "a view not to be shown": f"{GOOD}; CREATE VIEW v AS SELECT id FROM t",
    "versions not to be read": GOOD,
    "nothing to be seen": GOOD,
    "good too": GOOD,
}
RIGHTS = {
    "a view not to be shown": ["SELECT ON {}.*"],
    "versions not to be read": ["SELECT ON {}.t", "INSERT ON {}.alembic_version"],
    "nothing to be seen": [],
}


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> MariaDB:
    """MariaDB and MySQL in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def readings(server: MariaDB) -> Iterator[Mapping[str, Reading]]:
    """Read all of them at once, and one that does not exist, as a user with some rights."""
    user = unique("reader")
    with made(server, SCHEMAS) as names:
        run(server, f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'")
        try:
            for key, name in names.items():
                for right in RIGHTS.get(key, ["ALL ON {}.*"]):
                    server.execute(f"GRANT {right.format(name)} TO {user}")
            reader = MariaDB(server.host, server.port, user, PASSWORD)
            places = [
                place(reader.url(name), target=key)
                for key, name in {"no such database": unique("none"), **names}.items()
            ]
            yield {reading.target: reading for reading in fleet.read(places, schemas=True)}
        finally:
            run(server, f"DROP USER {user}")


def test_every_target_has_a_reading(readings):
    assert set(readings) == {*SCHEMAS, "no such database"}


def test_what_can_not_be_read_fails_alone(readings):
    words = {
        target: (reading.failure.message.partition(":")[0], reading.fault)
        for target, reading in readings.items()
        if reading.failure is not None
    }
    assert words == {
        "no such database": ("1044", Fault.REFUSED),  # to whom it might be there
        "nothing to be seen": ("1044", Fault.REFUSED),
        "versions not to be read": ("1142", Fault.DENIED),
        "a broken view of versions": ("1356", Fault.OTHER),
        "no such column": ("1054", Fault.OTHER),
    }


def test_heads_are_read_of_the_others(readings):
    heads = {
        target: (reading.heads, reading.has_version_table)
        for target, reading in readings.items()
        if reading.failure is None
    }
    assert heads == {
        "good": (("good",), True),
        "good too": (("good",), True),
        "a broken view": (("good",), True),
        "a view not to be shown": (("good",), True),
        "no version table": ((), False),
        "nothing": ((), False),
        "no heads": ((), True),
        "latin1": (("é",), True),
        "utf16": (("é",), True),
        "binary": (("x",), True),
        "other collation": (("x",), True),
        "bytes": (("x",), True),
        "MyISAM": (("x",), True),
        "a view of versions": (("x",), True),
    }


def test_views_that_can_not_be_shown_are_there_all_the_same(readings):
    fingerprints = {target: reading.fingerprint for target, reading in readings.items()}
    assert fingerprints["good"] == fingerprints["good too"] == fingerprints["no version table"]
    assert fingerprints["good"] is not None
    assert fingerprints["a view not to be shown"] not in (None, fingerprints["good"])
    assert fingerprints["a broken view"] not in (None, fingerprints["good"])


def test_heads_alone_are_read_like_that_too(server):
    with made(server, {key: SCHEMAS[key] for key in ("good", "nothing", "utf16")}) as names:
        missing = unique("none")
        urls = {key: server.url(name) for key, name in {**names, "missing": missing}.items()}
        found = read({key: place(url, target=key) for key, url in urls.items()})
        assert found["missing"].fault is Fault.MISSING
        assert [found[key].heads for key in names] == [("good",), (), ("é",)]
        assert {found[key].fingerprint for key in names} == {None}

        (alone,) = read({"": place(server.url(missing), target="")}).values()
        assert alone.fault is Fault.MISSING
        assert missing in (alone.failure.message if alone.failure else "")


@pytest.mark.parametrize("bad", [0, 1, 500, 1198])
def test_one_of_many_that_fails_is_one(server, bad):
    with made(server, {"good": GOOD, "bad": SCHEMAS["no such column"]}) as names:
        found = read(
            {
                str(at): place(server.url(names["bad" if at == bad else "good"]), target=str(at))
                for at in range(1199)
            }
        )
    assert [key for key, reading in found.items() if reading.failure] == [str(bad)]
    assert {reading.heads for reading in found.values()} == {("good",), ()}


def test_a_version_table_elsewhere(server):
    shared = SCHEMAS["no heads"].replace("alembic_version", "versions_of_a")
    with made(server, {"a": "CREATE TABLE t (id int)", "b": f"{GOOD};{shared}"}) as names:
        server.execute("INSERT INTO versions_of_a VALUES ('elsewhere')", names["b"])
        there = VersionTable("versions_of_a", names["b"])
        elsewhere = VersionTable("versions_of_x", names["b"])
        found = read(
            {
                "there": placed(server, names["a"], "there", there),
                "not there": placed(server, names["a"], "not there", elsewhere),
                "no database": placed(server, unique("none"), "no database", elsewhere),
                "own": place(server.url(names["b"]), target="own"),
            },
        )
    assert (found["there"].heads, found["own"].heads) == (("elsewhere",), ("good",))
    assert (found["not there"].has_version_table, found["not there"].failure) == (False, None)
    assert found["no database"].fault is Fault.MISSING


def test_a_wrong_password_and_a_server_that_is_down(server, private_mariadb):
    down = private_mariadb()
    down.stop()
    with made(server, {"good": GOOD}) as names:
        good = server.url(names["good"])
        wrong = make_url(good).set(password="hunter2").render_as_string(hide_password=False)
        places = {
            "good": good,
            "wrong": wrong,
            "wrong too": wrong,
            "down": down.url("x"),
            "down too": down.url("y"),
        }
        found = read({key: place(url, target=key) for key, url in places.items()})
    assert {key: reading.fault for key, reading in found.items()} == {
        "good": None,
        "wrong": Fault.REFUSED,
        "wrong too": Fault.REFUSED,
        "down": Fault.UNREACHABLE,
        "down too": Fault.UNREACHABLE,
    }
    assert "hunter2" not in str(found)


def test_a_server_that_folds_names_and_has_a_mode_of_its_own(private_mariadb):
    server = private_mariadb("--lower-case-table-names=1", "--sql-mode=ANSI_QUOTES,ORACLE")
    server.create("Shop", "other", "empty")
    view = "CREATE VIEW v AS SELECT t.id FROM t"
    for name in ("SHOP", "other"):
        run(server, f"{GOOD}; {view}".replace("alembic_v", "Alembic_V"), name)
    names = ("shop", "Shop", "SHOP", "other", "OTHER", "empty", "Missing")
    places = {name: placed(server, name, name, VersionTable("Alembic_Version")) for name in names}
    found = {reading.target: reading for reading in fleet.read(places.values(), schemas=True)}
    assert found["Missing"].fault is Fault.MISSING
    assert (found["empty"].failure, found["empty"].has_version_table) == (None, False)
    same = {found[name].fingerprint for name in names[:5]}
    assert len(same) == 1
    assert None not in same
    assert {found[name].heads for name in names[:5]} == {("good",)}


def placed(server: MariaDB, database: str, target: str, table: VersionTable) -> Source:
    made = place(server.url(database), target=target)
    return Source(target, made.location, table, made.timeouts)


def read(places: Mapping[str, Source]) -> dict[str, Reading]:
    return {reading.target: reading for reading in fleet.read(places.values(), schemas=False)}

"""Fingerprints of MySQL and MariaDB: what they see, what they don't, and what people are shown."""

from collections import Counter
from collections.abc import Iterator

import pytest

from orchestrator.dialects import mysql_schema
from orchestrator.fleet.schema import Thing
from tests.inspection.looking import fingerprint, things
from tests.inspection.mysql_databases import Looks, fingerprints, looks, made, run
from tests.inspection.mysql_mutations import HOSTILE, PRODUCTS
from tests.servers import PASSWORD, MariaDB, unique


@pytest.fixture(scope="module", params=sorted(PRODUCTS))
def product(request: pytest.FixtureRequest) -> str:
    """Which kind of server it is."""
    return request.param


@pytest.fixture(scope="module")
def seen(product: str, request: pytest.FixtureRequest) -> Iterator[Looks]:
    """One database for each change, and one for each state before; all read at once."""
    server: MariaDB = request.getfixturevalue(product)
    of = PRODUCTS[product]
    before = {sql: sql for sql in (of.whole, *map(of.start, of.changes.values()))}
    after = {what: f"{of.start(sql)};{sql}" for what, sql in of.changes.items()}
    with made(server, {**before, **after}) as names:
        yield looks(server, names)


def told(things: tuple[Thing, ...]) -> list[tuple[str, str, str, dict[str, str]]]:
    return [(thing.kind, thing.table, thing.name, dict(thing.details)) for thing in things]


def test_every_single_change_changes_the_fingerprint(seen, product):
    of = PRODUCTS[product]
    before = {what: of.start(sql) for what, sql in of.mutations.items()}
    assert [reading.failure for reading, _ in seen.values() if reading.failure] == []
    found = {what: reading.fingerprint for what, (reading, _) in seen.items()}
    assert [what for what in of.mutations if found[what] == found[before[what]]] == []

    count = Counter((before[what], found[what]) for what in of.mutations)
    assert [what for what in of.mutations if count[before[what], found[what]] > 1] == []


def test_what_alembic_can_not_see_changes_nothing(seen, product):
    of = PRODUCTS[product]
    found = {what: reading.fingerprint for what, (reading, _) in seen.items()}
    assert [what for what, sql in of.harmless.items() if found[what] != found[of.start(sql)]] == []


def test_fingerprints_are_equal_if_and_only_if_people_are_shown_the_same(seen):
    by_fingerprint = {}
    by_things = {}
    for what, (reading, found) in seen.items():
        assert by_fingerprint.setdefault(reading.fingerprint, found) == found, what
        same = by_things.setdefault(tuple(sorted(found)), reading.fingerprint)
        assert same == reading.fingerprint, what


def test_heads_are_read_beside(seen, product):
    assert seen[PRODUCTS[product].whole][0].heads == ("base",)
    assert seen["another head"][0].heads == ("other",)
    assert (seen["no heads"][0].heads, seen["no heads"][0].has_version_table) == ((), True)
    assert not seen["no version table"][0].has_version_table


@pytest.mark.parametrize("product", ["mariadb"], indirect=True)
def test_everything_is_taken_apart(seen, product):
    shown = told(seen[PRODUCTS[product].whole][1])
    for expected in (
        ("table", "", "customers", {"engine": "InnoDB", "comment": "'people'"}),
        ("table", "", "history", {"options": "WITH SYSTEM VERSIONING"}),
        ("column", "customers", "id", {"type": "INT(10) UNSIGNED", "options": "AUTO_INCREMENT"}),
        ("column", "customers", "email", {"type": "VARCHAR(100)", "nullable": "no"}),
        ("column", "customers", "name", {"default": "'nobody'", "comment": "'who'"}),
        ("column", "customers", "name", {"collation": "utf8mb4_unicode_ci", "nullable": "yes"}),
        ("column", "customers", "state", {"type": "ENUM('new','old')", "default": "'new'"}),
        ("column", "customers", "seen", {"on update": "current_timestamp(3)"}),
        ("column", "customers", "seen", {"default": "current_timestamp(3)"}),
        ("column", "customers", "total", {"computed": "(`age` * 2) VIRTUAL", "position": "16"}),
        ("column", "customers", "odd", {"check": "(`odd` > 1)"}),
        ("primary key", "pairs", "", {"on": "(a,b)"}),
        ("unique index", "customers", "uq_email", {"on": "(email)"}),
        ("index", "customers", "ix_name", {"on": "(name(10),age)"}),
        ("index", "customers", "ix_born", {"on": "(born DESC)"}),
        ("index", "customers", "ix_note", {"on": "(note(20))", "options": "COMMENT 'why'"}),
        ("fulltext index", "words", "ft", {"on": "(word)"}),
        (
            "foreign key",
            "orders",
            "fk_customer",
            {"definition": "(customer) REFERENCES customers (id) ON DELETE CASCADE"},
        ),
        ("check constraint", "customers", "ck_age", {"definition": "(`age` > 0)"}),
    ):
        assert [
            one
            for one in shown
            if one[:3] == expected[:3] and expected[3].items() <= one[3].items()
        ], expected
    kinds = {(kind, name) for kind, _, name, _ in shown}
    assert {("view", "active"), ("sequence", "ticket"), ("database", "")} <= kinds
    assert "alembic_version" not in {name for _, name in kinds}


def test_hostile_texts_are_taken_apart(mariadb):
    with made(mariadb, {"": HOSTILE}) as names:
        found = {
            (kind, name): details
            for kind, table, name, details in told(things(mariadb.url(names[""])))
            if table != "child" and name != "child"
        }
    key = "x,\n  KEY y"
    # MariaDB 11.8 writes what is no text in digits.
    raw = found["column", "raw"]["default"]
    assert raw in (r"'\xff\0\xfe'", "x'ff00fe'")
    assert found.pop(("database", ""))
    assert found.pop(("view", "vi`ew"))["definition"].endswith(
        "AS select `o``dd, \"table\" ( --`.`a``b` AS `it's`,'`v`.' AS `x y`"
        ' from `o``dd, "table" ( --`'
    )
    assert found.pop(("table", 'o`dd, "table" ( --'))["comment"] == (
        r"'it''s \\ `t`\n) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT'"
    )
    assert found == {
        ("column", "a`b"): {
            "type": "INT(11)",
            "nullable": "no",
            "default": "1",
            "comment": r"""'it''s ( a \\ b, "c" -- d /* e */ `f`\n"""
            ") ENGINE=InnoDB AUTO_INCREMENT=5'",
            "position": "1",
        },
        ("column", "PRIMARY KEY"): {
            "type": r"ENUM('it''s','a,b','(',')','c\\d','--e','/*f*/','ü ß','new\nline')",
            "nullable": "yes",
            "default": "'a,b'",
            "position": "2",
        },
        ("column", key): {
            "type": "VARCHAR(30)",
            "nullable": "yes",
            "default": r"'a ,\n  KEY `z` (`x`)'",
            "comment": "' AUTO_INCREMENT=5 '",
            "position": "3",
        },
        ("column", "größe"): {
            "type": "INT(11)",
            "nullable": "yes",
            "computed": rf"(char_length(concat(`{key}`,') STORED COMMENT \''))) VIRTUAL",
            "comment": "'AUTO_INCREMENT'",
            "position": "4",
        },
        ("column", "raw"): {
            "type": "VARBINARY(8)",
            "nullable": "yes",
            "default": raw,
            "position": "5",
        },
        ("index", "ix ( `b"): {
            "on": f"(`a``b` DESC,`{key}`(7))",
            "options": "COMMENT 'it''s, ('",
        },
        ("check constraint", "ck `q"): {
            "definition": rf"(`{key}` <> 'it\'s )\n, `a` -- /* \\')",
        },
    }


def test_a_counter_in_a_text_is_text(mariadb):
    tables = {
        f"{counter} {start}": "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT,"
        f" a varchar(99) DEFAULT '\n) ENGINE=InnoDB AUTO_INCREMENT={counter}'"
        f" COMMENT '\n) ENGINE=InnoDB AUTO_INCREMENT={counter}')"
        f" AUTO_INCREMENT={start} COMMENT='\n) ENGINE=InnoDB AUTO_INCREMENT={counter} '"
        for counter in (5, 6)
        for start in (1, 7)
    }
    with made(mariadb, tables) as names:
        found = fingerprints(mariadb, names)
    assert found["5 1"] == found["5 7"] != found["6 1"] == found["6 7"]


def test_a_name_that_looks_like_lines_does_not_mix_tables_up(mariadb):
    first = "CREATE TABLE t (`a,\n  z` int, `b,\n  y` int, KEY `k,\n  KEY 2` (`a,\n  z`))"
    with made(mariadb, {"1": first, "2": first.replace("z`", "w`").replace("y`", "z`")}) as names:
        found = fingerprints(mariadb, names)
    assert found["1"] != found["2"]


def test_a_view_is_the_same_in_every_database_however_it_is_named(mariadb):
    base = unique("o`dd. 'näme")
    texts = "CREATE TABLE t (a int); CREATE VIEW v AS SELECT t.a, '{}' AS b FROM {}.t"
    with mariadb.databases(base, f"{base}2", f"{base}3"):
        for name, said in ((base, "x"), (f"{base}2", "x"), (f"{base}3", "`x`.")):
            run(mariadb, texts.format(said, mariadb.quote(name)), name)
        found = fingerprints(mariadb, {name: name for name in (base, f"{base}2", f"{base}3")})
    assert found[base] == found[f"{base}2"] != found[f"{base}3"]


def test_a_view_s_text_that_names_its_database_stays_as_it_is(mariadb):
    with made(mariadb, {"1": "DO 1", "2": "DO 1"}) as names:
        for name in names.values():
            run(mariadb, f"CREATE VIEW v AS SELECT '`{names['1']}`.x' AS `{names['1']}`", name)
        found = fingerprints(mariadb, names)
        shown = things(mariadb.url(names["1"]))[-1].details
    assert found["1"] == found["2"]
    assert shown[0][1].endswith(f"AS select '`{names['1']}`.x' AS `{names['1']}`")


def test_a_default_from_a_sequence_names_its_database(mariadb):
    sql = "CREATE SEQUENCE s; CREATE TABLE t (a int DEFAULT nextval(s))"
    with made(mariadb, {"1": sql, "2": sql}) as names:
        found = fingerprints(mariadb, names)
    assert found["1"] != found["2"]  # Alembic is shown the name, too


CODE = """
CREATE TABLE t (id int);
CREATE FUNCTION f() RETURNS int READS SQL DATA RETURN (SELECT MAX(id) FROM {}.t);
CREATE PROCEDURE p() SELECT {}.f(), '{}' AS said FROM t /* {}.t */;
CREATE TRIGGER r BEFORE INSERT ON {}.t FOR EACH ROW SET NEW.id = {}.f();
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO CALL {}.p()
"""


@pytest.mark.parametrize("product", ["mariadb", "mysql"], indirect=True)
def test_code_is_the_same_in_every_database_however_it_is_named(product, request):
    server: MariaDB = request.getfixturevalue(product)
    with made(server, dict.fromkeys(["bare", "quoted", "said", "noted"], "DO 1")) as names:
        for key, name in names.items():
            own = server.quote(name) if key == "quoted" else name
            said = f"{name}." if key == "said" else "x"
            noted = name if key == "noted" else "x"
            run(server, CODE.format(own, own, said, noted, own, own, own), name)
        found = fingerprints(server, names)
    assert found["bare"] == found["quoted"]
    assert len(set(found.values())) == 3, "a text and a comment are what they are"


@pytest.mark.parametrize("product", ["mariadb", "mysql"], indirect=True)
def test_code_that_may_not_be_shown_is_there_all_the_same(product, request):
    server: MariaDB = request.getfixturevalue(product)
    user = unique("reader")
    sql = "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1"
    with made(server, {"with": sql, "without": "DO 1"}) as names:
        run(server, f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'")
        try:
            for name in names.values():
                run(server, f"GRANT SELECT, EXECUTE ON {name}.* TO {user}")
            reader = MariaDB(server.host, server.port, user, PASSWORD)
            found = fingerprints(reader, names)
            shown = told(things(reader.url(names["with"])))
        finally:
            run(server, f"DROP USER {user}")
    assert found["with"] != found["without"]
    assert ("function", "", "f", {"definition": "can't be shown"}) in shown


SAID = (
    "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, `a``b` text DEFAULT 'x\\\\y' COMMENT 'ü')"
)


@pytest.mark.parametrize(
    "setting",
    ["sql_mode='ANSI_QUOTES'", "sql_mode='ORACLE'", "sql_quote_show_create=0", "NAMES latin1"],
)
def test_a_session_s_settings_change_no_answer(mariadb, setting):
    with made(mariadb, {"": SAID}) as names:
        plain, odd = (
            f"{mariadb.url(names[''])}{end}" for end in ("", f"?init_command=SET {setting}")
        )
        assert things(odd)[1:] == things(plain)[1:]
        # Alembic may be given other answers.
        assert (fingerprint(odd) == fingerprint(plain)) == setting.startswith("NAMES")


def test_what_is_dropped_between_two_looks_is_looked_for_once_more(mariadb, monkeypatch):
    real, asked = mysql_schema.list_sql, Counter()

    def stale(database):
        asked[database] += 1
        return "SELECT 'gone', 'BASE TABLE'" if asked[database] == 1 else real(database)

    with made(mariadb, {"1": SAID, "2": SAID}) as names:
        known = fingerprints(mariadb, names)
        monkeypatch.setattr(mysql_schema, "list_sql", stale)
        assert fingerprint(mariadb.url(names["1"])) == known["1"] == known["2"]
        assert asked == {names["1"]: 2}


MYSQL_8 = r"""CREATE TABLE `t` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `hidden` int DEFAULT NULL /*!80023 INVISIBLE */,
  `token` binary(16) NOT NULL DEFAULT (uuid_to_bin(uuid())),
  `state` enum('a','b,c') CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT _utf8mb4'a' COMMENT 'it''s',
  `place` point NOT NULL /*!80003 SRID 4326 */,
  `total` int GENERATED ALWAYS AS ((`id` * 2)) STORED NOT NULL,
  `at` timestamp(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  `packed` text /*!50606 STORAGE DISK */ /*!50606 COLUMN_FORMAT DYNAMIC */,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq` (`token`,`id` DESC),
  KEY `fn` ((lower(`state`)),`id`),
  KEY `prefix` (`packed`(10)) /*!80000 INVISIBLE */,
  FULLTEXT KEY `ft` (`packed`) /*!50100 WITH PARSER `ngram` */ ,
  CONSTRAINT `fk` FOREIGN KEY (`id`, `total`) REFERENCES `up` (`id`, `b c`) ON DELETE RESTRICT,
  CONSTRAINT `ck` CHECK ((`id` > 0)) /*!80016 NOT ENFORCED */
) /*!50100 TABLESPACE `innodb_system` */ ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci COMMENT='AUTO_INCREMENT=7'
/*!50100 PARTITION BY RANGE (`id`)
(PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB,
 PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB) */"""  # noqa: E501 - as MySQL writes it


def shown_by_mysql(text: str) -> list[tuple[str, str, str, dict[str, str]]]:
    text = mysql_schema.canonical("", "BASE TABLE", text)
    found = mysql_schema.things(("utf8mb4", "utf8mb4_bin"), [("BASE TABLE", "t", text)])
    return told(tuple(found))[1:]


def test_mysql_8_s_own_spellings():
    table, *columns = [one for one in shown_by_mysql(MYSQL_8) if one[0] in ("table", "column")]
    assert table[3] == {
        "engine": "InnoDB",
        "character set": "utf8mb4",
        "collation": "utf8mb4_0900_ai_ci",
        "comment": "'AUTO_INCREMENT=7'",
        "partitions": "/*!50100 PARTITION BY RANGE (`id`)\n(PARTITION p0 VALUES LESS THAN (10)"
        " ENGINE = InnoDB,\n PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB) */",
        "options": "/*!50100 TABLESPACE `innodb_system` */",
    }
    assert [
        {key: value for key, value in details.items() if key != "position"}
        for *_, details in columns
    ] == [
        {"type": "INT UNSIGNED", "nullable": "no", "options": "AUTO_INCREMENT"},
        {
            "type": "INT",
            "nullable": "yes",
            "default": "NULL",
            "options": "/*!80023 INVISIBLE */",
        },
        {"type": "BINARY(16)", "nullable": "no", "default": "(uuid_to_bin(uuid()))"},
        {
            "type": "ENUM('a','b,c')",
            "nullable": "yes",
            "character set": "utf8mb4",
            "collation": "utf8mb4_bin",
            "default": "_utf8mb4'a'",
            "comment": "'it''s'",
        },
        {"type": "POINT", "nullable": "no", "options": "/*!80003 SRID 4326 */"},
        {"type": "INT", "nullable": "no", "computed": "((`id` * 2)) STORED"},
        {
            "type": "TIMESTAMP(6)",
            "nullable": "yes",
            "default": "CURRENT_TIMESTAMP(6)",
            "on update": "CURRENT_TIMESTAMP(6)",
        },
        {
            "type": "TEXT",
            "nullable": "yes",
            "options": "/*!50606 STORAGE DISK */ /*!50606 COLUMN_FORMAT DYNAMIC */",
        },
    ]


def test_mysql_8_s_keys_and_constraints():
    keys = [one for one in shown_by_mysql(MYSQL_8) if one[0] not in ("table", "column")]
    assert sorted(keys, key=lambda one: one[:3]) == [
        (
            "check constraint",
            "t",
            "ck",
            {"definition": "((`id` > 0)) /*!80016 NOT ENFORCED */"},
        ),
        (
            "foreign key",
            "t",
            "fk",
            {"definition": "(id, total) REFERENCES up (id, `b c`) ON DELETE RESTRICT"},
        ),
        (
            "fulltext index",
            "t",
            "ft",
            {"on": "(packed)", "options": "/*!50100 WITH PARSER `ngram` */"},
        ),
        ("index", "t", "fn", {"on": "((lower(`state`)),`id`)"}),
        ("index", "t", "prefix", {"on": "(packed(10))", "options": "/*!80000 INVISIBLE */"}),
        ("primary key", "t", "", {"on": "(id)"}),
        ("unique index", "t", "uq", {"on": "(token,id DESC)"}),
    ]


@pytest.mark.parametrize("engine", ["ENGINE=InnoDB", "/*!50100 TABLESPACE `x` */ ENGINE=InnoDB"])
def test_only_the_counter_of_a_mysql_8_table_is_left_out(engine):
    start = "CREATE TABLE `t` (\n  `a` int NOT NULL AUTO_INCREMENT,\n  PRIMARY KEY (`a`)\n)"
    end = "DEFAULT CHARSET=utf8mb4 COMMENT=' AUTO_INCREMENT=5'"
    bare = f"{start} {engine} {end}"
    assert mysql_schema.canonical("", "BASE TABLE", bare) == bare
    counted = f"{start} {engine} AUTO_INCREMENT=5 {end}"
    assert mysql_schema.canonical("", "BASE TABLE", counted) == bare


def test_what_is_no_table_as_we_know_them_stays_as_it_is():
    for text in (
        "CREATE TABLE `t`",
        "CREATE TABLE t (\n  b int,\n  a int,\n\n) ENGINE=x AUTO_INCREMENT=5",
        "CREATE TABLE `t` (\n  `b` int DEFAULT 'x\n) ENGINE=InnoDB",
        "CREATE TABLE `t` (\n`b` int\n) ENGINE=InnoDB AUTO_INCREMENT=5",
    ):
        assert mysql_schema.canonical("", "BASE TABLE", text) == text
        ((*_, details),) = shown_by_mysql(text)
        assert details == {"kind": "BASE TABLE", "definition": text}


def test_a_view_of_mysql_8_loses_who_made_it_and_where_it_is():
    text = (
        "CREATE ALGORITHM=UNDEFINED DEFINER=`a``@ b`@`%` SQL SECURITY DEFINER VIEW `shop`.`v` AS"
        " select `shop`.`t`.`a` AS `a`,' DEFINER=`c`@`d` ' AS `b`,'`shop`.' AS `shop`"
        " from `shop`.`t`"
    )
    assert mysql_schema.canonical("shop", "VIEW", text) == (
        "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS"
        " select `t`.`a` AS `a`,' DEFINER=`c`@`d` ' AS `b`,'`shop`.' AS `shop` from `t`"
    )
    other = text.replace("DEFINER=`a``@ b`@`%` ", "")
    assert " DEFINER=`c`@`d` " in mysql_schema.canonical("shop", "VIEW", other)

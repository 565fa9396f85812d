"""A schema of MariaDB and one of MySQL with one of everything, what changes it, what does not."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

BASE = {
    "ticket": "CREATE SEQUENCE ticket START WITH 5 INCREMENT BY 2 CACHE 10",
    "customers": """
CREATE TABLE customers (
  id int unsigned NOT NULL AUTO_INCREMENT,
  email varchar(100) NOT NULL,
  name varchar(50) COLLATE utf8mb4_unicode_ci DEFAULT 'nobody' COMMENT 'who',
  age smallint unsigned DEFAULT 5,
  state enum('new','old') NOT NULL DEFAULT 'new',
  flags set('a','b'),
  balance decimal(10,2) NOT NULL DEFAULT 0.00,
  score double(8,3),
  seen datetime(3) DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3),
  born date DEFAULT (curdate() - interval 1 day),
  made timestamp NULL,
  note text CHARACTER SET latin1,
  raw varbinary(16),
  bits bit(3) DEFAULT b'101',
  doc json,
  total int GENERATED ALWAYS AS (age * 2) VIRTUAL,
  kept int GENERATED ALWAYS AS (age * 3) STORED,
  secret int INVISIBLE DEFAULT 5,
  zero int(5) unsigned zerofill,
  odd int CHECK (odd > 1),
  PRIMARY KEY (id),
  UNIQUE KEY uq_email (email),
  KEY ix_name (name(10), age),
  KEY ix_born (born DESC),
  KEY ix_note (note(20)) COMMENT 'why',
  CONSTRAINT ck_age CHECK (age > 0)
) COMMENT='people'""",
    "orders": """
CREATE TABLE orders (
  id int NOT NULL,
  customer int unsigned,
  other int unsigned,
  number int DEFAULT 7,
  PRIMARY KEY (id),
  CONSTRAINT fk_customer FOREIGN KEY (customer) REFERENCES customers (id)
    ON DELETE CASCADE ON UPDATE RESTRICT,
  CONSTRAINT fk_other FOREIGN KEY (other) REFERENCES customers (id)
)""",
    "pairs": """
CREATE TABLE pairs (
  a int NOT NULL, b int NOT NULL, c int NOT NULL, since date NOT NULL, till date NOT NULL,
  PERIOD FOR valid (since, till),
  PRIMARY KEY (a, b), UNIQUE KEY uq (c, valid WITHOUT OVERLAPS)
)""",
    "words": """
CREATE TABLE words (
  word varchar(20), place point NOT NULL, packed varchar(100) COMPRESSED,
  FULLTEXT KEY ft (word), SPATIAL KEY sp (place)
) ENGINE=MyISAM""",
    "parts": """
CREATE TABLE parts (id int NOT NULL) PARTITION BY RANGE (id)
  (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)""",
    "history": "CREATE TABLE history (id int, v int) WITH SYSTEM VERSIONING",
    "active": "CREATE VIEW active AS SELECT id, email FROM customers WHERE age > 3",
    "fn": "CREATE FUNCTION fn(n int) RETURNS int DETERMINISTIC RETURN n + 1",
    "pr": "CREATE PROCEDURE pr() SELECT 1",
    "tr": "CREATE TRIGGER tr BEFORE INSERT ON parts FOR EACH ROW SET NEW.id = NEW.id + 1",
    "ev": "CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM parts WHERE id = 1",
    "alembic_version": """
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY);
    INSERT INTO alembic_version VALUES ('base')""",
}
"""Each by its name, after what it needs."""

_NEEDS = {"orders": "customers", "active": "customers", "tr": "parts", "ev": "parts"}
_NAME = re.compile(r"\w+")

_COLUMN = "ALTER TABLE customers MODIFY"
_NO_KEY = "ALTER TABLE orders DROP FOREIGN KEY fk_other; ALTER TABLE orders"
_MAY_CHANGE = "SET system_versioning_alter_history=KEEP;"

MUTATIONS = {
    "a function more": "CREATE FUNCTION fn2(n int) RETURNS int DETERMINISTIC RETURN n + 1",
    "a function less": "DROP FUNCTION fn",
    "a function's body": "DROP FUNCTION fn;"
    "CREATE FUNCTION fn(n int) RETURNS int DETERMINISTIC RETURN n + 2",
    "a function's result": "DROP FUNCTION fn;"
    "CREATE FUNCTION fn(n int) RETURNS bigint DETERMINISTIC RETURN n + 1",
    "a function's SQL mode": "DROP FUNCTION fn; SET sql_mode = 'PIPES_AS_CONCAT';"
    "CREATE FUNCTION fn(n int) RETURNS int DETERMINISTIC RETURN n + 1",
    "a function's security": "ALTER FUNCTION fn SQL SECURITY INVOKER",
    "a procedure less": "DROP PROCEDURE pr",
    "a procedure's body": "DROP PROCEDURE pr; CREATE PROCEDURE pr() SELECT 2",
    "a procedure's comment": "ALTER PROCEDURE pr COMMENT 'why'",
    "a procedure that is a function": "DROP PROCEDURE pr;"
    "CREATE FUNCTION pr() RETURNS int DETERMINISTIC RETURN 1",
    "a trigger less": "DROP TRIGGER tr",
    "a trigger's body": "DROP TRIGGER tr;"
    "CREATE TRIGGER tr BEFORE INSERT ON parts FOR EACH ROW SET NEW.id = NEW.id + 2",
    "a trigger's time": "DROP TRIGGER tr;"
    "CREATE TRIGGER tr BEFORE UPDATE ON parts FOR EACH ROW SET NEW.id = NEW.id + 1",
    "an event less": "DROP EVENT ev",
    "an event's body": "ALTER EVENT ev DO DELETE FROM parts WHERE id = 2",
    "an event's interval": "ALTER EVENT ev ON SCHEDULE EVERY 2 DAY",
    "an event enabled": "ALTER EVENT ev ENABLE",
    "a table more": "CREATE TABLE more (id int)",
    "a table less": "DROP TABLE parts",
    "a table renamed": "RENAME TABLE parts TO party",
    "a table's comment": "ALTER TABLE customers COMMENT 'persons'",
    "a table's comment gone": "ALTER TABLE customers COMMENT ''",
    "a table's collation": "ALTER TABLE parts DEFAULT COLLATE utf8mb4_bin",
    "a table's character set": "ALTER TABLE parts DEFAULT CHARACTER SET latin1",
    "a table's engine": "ALTER TABLE pairs ENGINE=Aria",
    "a table's row format": "ALTER TABLE parts ROW_FORMAT=COMPACT",
    "a table's other options": "ALTER TABLE parts STATS_PERSISTENT=0",
    "a partition more": "ALTER TABLE parts REORGANIZE PARTITION p1 INTO"
    " (PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN MAXVALUE)",
    "no partitions": "ALTER TABLE parts REMOVE PARTITIONING",
    "no system versioning": "ALTER TABLE history DROP SYSTEM VERSIONING",
    "more system versioning": "ALTER TABLE pairs ADD SYSTEM VERSIONING",
    "a column not versioned": f"{_MAY_CHANGE}"
    "ALTER TABLE history MODIFY v int WITHOUT SYSTEM VERSIONING",
    "a period less": "ALTER TABLE pairs DROP KEY uq, DROP PERIOD FOR valid, ADD UNIQUE uq (c)",
    "a period that may overlap": "ALTER TABLE pairs DROP KEY uq, ADD UNIQUE uq (c)",
    "a database's collation": "ALTER DATABASE COLLATE utf8mb4_bin",
    "a database's character set": "ALTER DATABASE CHARACTER SET latin1",
    "a column more": "ALTER TABLE pairs ADD d int",
    "a column less": f"{_MAY_CHANGE}ALTER TABLE history DROP v",
    "a column renamed": "ALTER TABLE orders RENAME COLUMN other TO another",
    "a column in capitals": "ALTER TABLE orders CHANGE other Other int unsigned",
    "columns in another order": f"{_COLUMN} raw varbinary(16) AFTER bits",
    "a column first": f"{_COLUMN} raw varbinary(16) FIRST",
    "another type": f"{_COLUMN} age mediumint unsigned DEFAULT 5",
    "a longer text": f"{_COLUMN} email varchar(101) NOT NULL",
    "a longer binary": f"{_COLUMN} raw varbinary(17)",
    "fixed length": f"{_COLUMN} raw binary(16)",
    "another kind of text": f"{_COLUMN} note mediumtext CHARACTER SET latin1",
    "more precision": f"{_COLUMN} balance decimal(11,2) NOT NULL DEFAULT 0.00",
    "more scale": f"{_COLUMN} balance decimal(10,3) NOT NULL DEFAULT 0.000",
    "precision of a double": f"{_COLUMN} score double(8,2)",
    "no precision": f"{_COLUMN} score double",
    "a float": f"{_COLUMN} score float(8,3)",
    "signed": f"{_COLUMN} age smallint DEFAULT 5",
    "no zerofill": f"{_COLUMN} zero int(5) unsigned",
    "display width": f"{_COLUMN} zero int(6) unsigned zerofill",
    "more bits": f"{_COLUMN} bits bit(4) DEFAULT b'101'",
    "fewer fractions of a second": f"{_COLUMN} seen datetime(2)"
    " DEFAULT current_timestamp(2) ON UPDATE current_timestamp(2)",
    "no JSON": f"{_COLUMN} doc longtext",
    "a character set": f"{_COLUMN} note text CHARACTER SET utf8mb3",
    "a collation": f"{_COLUMN} name varchar(50) COLLATE utf8mb4_bin DEFAULT 'nobody' COMMENT 'who'",
    "no collation of its own": f"{_COLUMN} name varchar(50) DEFAULT 'nobody' COMMENT 'who'",
    "an enum's new value": f"{_COLUMN} state enum('new','old','odd') NOT NULL DEFAULT 'new'",
    "an enum's value in capitals": f"{_COLUMN} state enum('new','Old') NOT NULL DEFAULT 'new'",
    "an enum in another order": f"{_COLUMN} state enum('old','new') NOT NULL DEFAULT 'new'",
    "a set's new value": f"{_COLUMN} flags set('a','b','c')",
    "nullable": f"{_COLUMN} email varchar(100)",
    "not nullable": f"{_COLUMN} raw varbinary(16) NOT NULL",
    "a default": f"{_COLUMN} age smallint unsigned DEFAULT 6",
    "a default of text": "ALTER TABLE customers ALTER name SET DEFAULT 'somebody'",
    "a default in capitals": "ALTER TABLE customers ALTER name SET DEFAULT 'Nobody'",
    "no default": "ALTER TABLE customers ALTER age DROP DEFAULT",
    "a new default": "ALTER TABLE customers ALTER raw SET DEFAULT 'x'",
    "a binary default": "ALTER TABLE customers ALTER raw SET DEFAULT X'ff00'",
    "a default expression": "ALTER TABLE customers ALTER born"
    " SET DEFAULT (curdate() - interval 2 day)",
    "a default of another time": f"{_COLUMN} made timestamp NULL DEFAULT current_timestamp()",
    "no ON UPDATE": f"{_COLUMN} seen datetime(3) DEFAULT current_timestamp(3)",
    "a default from a sequence": "ALTER TABLE orders ALTER number SET DEFAULT nextval(ticket)",
    "a column's comment": f"{_COLUMN} age smallint unsigned DEFAULT 5 COMMENT 'years'",
    "a column's other comment": f"{_COLUMN} name varchar(50) COLLATE utf8mb4_unicode_ci"
    " DEFAULT 'nobody' COMMENT 'Who'",
    "another expression": f"{_COLUMN} total int GENERATED ALWAYS AS (age * 4) VIRTUAL",
    "a stored column": "ALTER TABLE customers DROP total, ADD total int"
    " GENERATED ALWAYS AS (age * 2) STORED AFTER doc",
    "a virtual column": "ALTER TABLE customers DROP kept, ADD kept int"
    " GENERATED ALWAYS AS (age * 3) VIRTUAL AFTER total",
    "a column computed no more": f"{_COLUMN} kept int",
    "a visible column": f"{_COLUMN} secret int DEFAULT 5",
    "a column not compressed": "ALTER TABLE words MODIFY packed varchar(100)",
    "no autoincrement": f"SET foreign_key_checks=0;{_COLUMN} id int unsigned NOT NULL",
    "an autoincrement": "ALTER TABLE orders MODIFY id int NOT NULL AUTO_INCREMENT",
    "a primary key's order": "ALTER TABLE pairs DROP PRIMARY KEY, ADD PRIMARY KEY (b, a)",
    "a primary key's columns": "ALTER TABLE pairs DROP PRIMARY KEY, ADD PRIMARY KEY (a, c)",
    "no primary key": "ALTER TABLE pairs DROP PRIMARY KEY",
    "a new primary key": "ALTER TABLE parts ADD PRIMARY KEY (id)",
    "unique no more": "ALTER TABLE customers DROP KEY uq_email, ADD KEY uq_email (email)",
    "a unique constraint more": "ALTER TABLE customers ADD UNIQUE uq_name (name)",
    "an index more": "ALTER TABLE customers ADD KEY ix_more (age)",
    "an index less": "ALTER TABLE customers DROP KEY ix_born",
    "an index renamed": "ALTER TABLE customers RENAME KEY ix_born TO ix_day",
    "an index's columns": "ALTER TABLE customers DROP KEY ix_name, ADD KEY ix_name (name(10))",
    "an index's order": "ALTER TABLE customers DROP KEY ix_name, ADD KEY ix_name (age, name(10))",
    "an index's prefix": "ALTER TABLE customers DROP KEY ix_name, ADD KEY ix_name (name(11), age)",
    "an index's direction": "ALTER TABLE customers DROP KEY ix_born, ADD KEY ix_born (born)",
    "an index's comment": "ALTER TABLE customers DROP KEY ix_note,"
    " ADD KEY ix_note (note(20)) COMMENT 'because'",
    "an index's method": "ALTER TABLE customers DROP KEY ix_born,"
    " ADD KEY ix_born (born DESC) USING BTREE",
    "an index ignored": "ALTER TABLE customers ALTER KEY ix_born IGNORED",
    "no full text": "ALTER TABLE words DROP KEY ft, ADD KEY ft (word)",
    "nothing spatial": "ALTER TABLE words DROP KEY sp, ADD KEY sp (place(25))",
    "a foreign key less": "ALTER TABLE orders DROP FOREIGN KEY fk_other",
    "a foreign key more": "ALTER TABLE parts REMOVE PARTITIONING; ALTER TABLE parts"
    " ADD CONSTRAINT fk_more FOREIGN KEY (id) REFERENCES orders (id)",
    "a foreign key renamed": "ALTER TABLE orders DROP FOREIGN KEY fk_other,"
    " ADD CONSTRAINT fk_another FOREIGN KEY (other) REFERENCES customers (id)",
    "a foreign key's column": f"{_NO_KEY} DROP KEY fk_other, ADD x int unsigned,"
    " ADD CONSTRAINT fk_other FOREIGN KEY (x) REFERENCES customers (id)",
    "a foreign key's own table": f"{_NO_KEY} MODIFY other int,"
    " ADD CONSTRAINT fk_other FOREIGN KEY (other) REFERENCES orders (id)",
    "a foreign key ON DELETE": f"{_NO_KEY} ADD CONSTRAINT fk_other"
    " FOREIGN KEY (other) REFERENCES customers (id) ON DELETE SET NULL",
    "a foreign key ON UPDATE": f"{_NO_KEY} ADD CONSTRAINT fk_other"
    " FOREIGN KEY (other) REFERENCES customers (id) ON UPDATE CASCADE",
    "a check less": "ALTER TABLE customers DROP CONSTRAINT ck_age",
    "a check more": "ALTER TABLE customers ADD CONSTRAINT ck_more CHECK (age < 200)",
    "another check": "ALTER TABLE customers DROP CONSTRAINT ck_age,"
    " ADD CONSTRAINT ck_age CHECK (age >= 0)",
    "a check renamed": "ALTER TABLE customers DROP CONSTRAINT ck_age,"
    " ADD CONSTRAINT ck_years CHECK (age > 0)",
    "a column's check": f"{_COLUMN} odd int CHECK (odd > 2)",
    "a sequence more": "CREATE SEQUENCE more",
    "a sequence less": "DROP SEQUENCE ticket",
    "a sequence's step": "ALTER SEQUENCE ticket INCREMENT BY 3",
    "a sequence's start": "ALTER SEQUENCE ticket START 7",
    "a sequence's end": "ALTER SEQUENCE ticket MAXVALUE 1000",
    "a sequence's cache": "ALTER SEQUENCE ticket CACHE 11",
    "a sequence that cycles": "ALTER SEQUENCE ticket CYCLE",
    "a view more": "CREATE VIEW more AS SELECT 1",
    "a view less": "DROP VIEW active",
    "another view": "CREATE OR REPLACE VIEW active AS"
    " SELECT id, email FROM customers WHERE age > 4",
    "a view of other rights": "CREATE OR REPLACE SQL SECURITY INVOKER VIEW active AS"
    " SELECT id, email FROM customers WHERE age > 3",
    "a view that checks": "CREATE OR REPLACE VIEW active AS"
    " SELECT id, email FROM customers WHERE age > 3 WITH CHECK OPTION",
    "a view by another algorithm": "CREATE OR REPLACE ALGORITHM=MERGE VIEW active AS"
    " SELECT id, email FROM customers WHERE age > 3",
    "a view in place of a table": "DROP TABLE parts; CREATE VIEW parts AS SELECT 1 AS id",
    "a version table that is somebody's": "CREATE TABLE alembic_version2 LIKE alembic_version",
}

HARMLESS = {
    "nothing": "DO 1",
    "rows": "INSERT INTO parts VALUES (1), (2); INSERT INTO customers (email) VALUES ('a'), ('b')",
    "rows gone": "INSERT INTO customers (email) VALUES ('a'), ('b'); DELETE FROM customers",
    "a counter": "ALTER TABLE customers AUTO_INCREMENT=77",
    "statistics": "ANALYZE TABLE customers, orders, parts",
    "tables made anew": "OPTIMIZE TABLE customers, words; ALTER TABLE pairs FORCE",
    "a sequence advanced": "DO nextval(ticket), setval(ticket, 51)",
    "indexes in another order": "ALTER TABLE customers DROP KEY ix_name, DROP KEY ix_born,"
    " ADD KEY ix_born (born DESC), ADD KEY ix_name (name(10), age)",
    "constraints in another order": "ALTER TABLE orders DROP FOREIGN KEY fk_customer,"
    " DROP KEY fk_customer;ALTER TABLE orders ADD CONSTRAINT fk_customer FOREIGN KEY (customer)"
    " REFERENCES customers (id) ON DELETE CASCADE ON UPDATE RESTRICT",
    "a check made again": "ALTER TABLE customers DROP CONSTRAINT ck_age,"
    " ADD CONSTRAINT ck_age CHECK (age > 0)",
    "a table made again": "CREATE TABLE copy LIKE history; DROP TABLE history;"
    " RENAME TABLE copy TO history",
    "a table made first": "DROP TABLE parts; CREATE TABLE parts (id int NOT NULL)"
    " PARTITION BY RANGE (id)"
    " (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "a column that came and went": "ALTER TABLE pairs ADD x int FIRST; ALTER TABLE pairs DROP x",
    "a column by two steps": f"{_MAY_CHANGE}ALTER TABLE history DROP v;"
    " ALTER TABLE history ADD v text; ALTER TABLE history MODIFY v int",
    "a view made by another": "CREATE OR REPLACE DEFINER=`o``dd @ name`@`%` VIEW active AS"
    " SELECT id, email FROM customers WHERE age > 3",
    "a view made by a role": "CREATE OR REPLACE DEFINER=somebody VIEW active AS"
    " SELECT id, email FROM customers WHERE age > 3",
    "a trigger made by another": "DROP TRIGGER tr; CREATE DEFINER=somebody@localhost TRIGGER tr"
    " BEFORE INSERT ON parts FOR EACH ROW SET NEW.id = NEW.id + 1",
    "an event made later": "DROP EVENT ev; CREATE EVENT ev ON SCHEDULE EVERY 1 DAY"
    " STARTS '2031-01-01 00:00:00' DISABLE DO DELETE FROM parts WHERE id = 1",
    "another head": "UPDATE alembic_version SET version_num = 'other'",
    "no heads": "DELETE FROM alembic_version",
    "no version table": "DROP TABLE alembic_version",
    "another version table": "DROP TABLE alembic_version;"
    " CREATE TABLE alembic_version (version_num text)",
}


_ONLY_MARIADB = frozenset(
    {
        "a table's engine",
        "no system versioning",
        "more system versioning",
        "a column not versioned",
        "a period less",
        "a period that may overlap",
        "a column less",
        "a default from a sequence",
        "a column not compressed",
        "an index ignored",
        "nothing spatial",
        "a sequence more",
        "a sequence less",
        "a sequence's step",
        "a sequence's start",
        "a sequence's end",
        "a sequence's cache",
        "a sequence that cycles",
        "a sequence advanced",
        "a table made again",
        "a column by two steps",
    }
)
"""Changes that MySQL has not: sequences, system versioning, periods, Aria."""
_MYSQL_BASE = {
    "pairs": "CREATE TABLE pairs (a int NOT NULL, b int NOT NULL, c int NOT NULL,"
    " PRIMARY KEY (a, b), UNIQUE KEY uq (c))",
    "words": "CREATE TABLE words (word varchar(20), place point NOT NULL SRID 4326,"
    " FULLTEXT KEY ft (word), SPATIAL KEY sp (place))",
    "modern": """
CREATE TABLE modern (
  id int NOT NULL,
  word varchar(20) COLLATE utf8mb4_0900_ai_ci,
  token binary(16) DEFAULT (uuid_to_bin('6ccd780c-baba-1026-9564-5b8c656024db')),
  tags json DEFAULT (json_array()),
  unseen int INVISIBLE,
  KEY lower_word ((lower(word))),
  KEY many_tags ((CAST(tags AS UNSIGNED ARRAY))),
  KEY hidden (id) INVISIBLE,
  CONSTRAINT ck_lax CHECK (id > 0) NOT ENFORCED
)""",
    "keyless": "SET sql_generate_invisible_primary_key = 1; CREATE TABLE keyless (v int);"
    " SET sql_generate_invisible_primary_key = 0",
}
_MODERN = "ALTER TABLE modern"
_MYSQL_MUTATIONS = {
    "a functional index's expression": f"{_MODERN} DROP KEY lower_word,"
    " ADD KEY lower_word ((upper(word)))",
    "a functional index of a plain column": f"{_MODERN} DROP KEY lower_word,"
    " ADD KEY lower_word (word)",
    "a multi-valued index less": f"{_MODERN} DROP KEY many_tags",
    "a multi-valued index's type": f"{_MODERN} DROP KEY many_tags,"
    " ADD KEY many_tags ((CAST(tags AS CHAR(10) ARRAY)))",
    "an index made visible": f"{_MODERN} ALTER INDEX hidden VISIBLE",
    "an index made invisible": f"{_MODERN} ALTER INDEX lower_word INVISIBLE",
    "an invisible column made visible": f"{_MODERN} ALTER COLUMN unseen SET VISIBLE",
    "a column made invisible": f"{_MODERN} ALTER COLUMN word SET INVISIBLE",
    "a generated key made visible": "ALTER TABLE keyless ALTER COLUMN my_row_id SET VISIBLE",
    "a generated key less": "ALTER TABLE keyless DROP COLUMN my_row_id, DROP PRIMARY KEY",
    "a default expression of JSON": f"{_MODERN} ALTER COLUMN tags SET DEFAULT (json_object())",
    "a default expression less": f"{_MODERN} ALTER COLUMN token DROP DEFAULT",
    "a column added at once": f"{_MODERN} ADD COLUMN late int DEFAULT 3, ALGORITHM=INSTANT",
    "a column dropped at once": f"{_MODERN} DROP COLUMN unseen, ALGORITHM=INSTANT",
    "a check enforced": f"{_MODERN} ALTER CHECK ck_lax ENFORCED",
    "a check enforced no more": "ALTER TABLE customers ALTER CHECK ck_age NOT ENFORCED",
    "a collation of MySQL 8": f"{_MODERN} MODIFY word varchar(20) COLLATE utf8mb4_0900_as_cs",
    "a column's SRID": "ALTER TABLE words DROP KEY sp;"
    " ALTER TABLE words MODIFY place point NOT NULL",
    "a column in secondary engines": f"{_MODERN} MODIFY word varchar(20)"
    " COLLATE utf8mb4_0900_ai_ci NOT SECONDARY",
}
_MYSQL_HARMLESS = {
    "a column that came and went at once": f"{_MODERN} ADD COLUMN x int, ALGORITHM=INSTANT;"
    f"{_MODERN} DROP COLUMN x, ALGORITHM=INSTANT",
    "a hidden index seen and hidden": f"{_MODERN} ALTER INDEX hidden VISIBLE;"
    f"{_MODERN} ALTER INDEX hidden INVISIBLE",
    "histograms": "ANALYZE TABLE modern UPDATE HISTOGRAM ON word WITH 4 BUCKETS",
}


@dataclass(frozen=True)
class Product:
    """What is tried on one kind of server."""

    base: Mapping[str, str]
    mutations: Mapping[str, str]
    harmless: Mapping[str, str]

    @property
    def changes(self) -> dict[str, str]:
        return {**self.mutations, **self.harmless}

    @property
    def whole(self) -> str:
        return ";".join(self.base.values())

    def start(self, change: str) -> str:
        """Return as much of the base as a change is about."""
        named = set(_NAME.findall(change))
        named |= {_NEEDS[name] for name in named if name in _NEEDS}
        return ";".join(sql for name, sql in self.base.items() if name in named) or "DO 1"


def _without(changes: Mapping[str, str]) -> dict[str, str]:
    return {what: sql for what, sql in changes.items() if what not in _ONLY_MARIADB}


PRODUCTS = {
    "mariadb": Product(BASE, MUTATIONS, HARMLESS),
    "mysql": Product(
        {
            **{name: sql for name, sql in BASE.items() if name not in {"ticket", "history"}},
            **_MYSQL_BASE,
        },
        {**_without(MUTATIONS), **_MYSQL_MUTATIONS},
        {**_without(HARMLESS), **_MYSQL_HARMLESS},
    ),
}


HOSTILE = r"""
CREATE TABLE `o``dd, "table" ( --` (
  `a``b` int NOT NULL DEFAULT 1 COMMENT 'it''s ( a \\ b, "c" -- d /* e */ `f`
) ENGINE=InnoDB AUTO_INCREMENT=5',
  `PRIMARY KEY` enum('it''s','a,b','(',')','c\\d','--e','/*f*/','ü ß','new
line') DEFAULT 'a,b',
  `x,
  KEY y` varchar(30) DEFAULT 'a ,\n  KEY `z` (`x`)' COMMENT ' AUTO_INCREMENT=5 ',
  `größe` int GENERATED ALWAYS AS (char_length(concat(`x,
  KEY y`, ') STORED COMMENT '''))) VIRTUAL COMMENT 'AUTO_INCREMENT',
  `raw` varbinary(8) DEFAULT X'ff00fe',
  KEY `ix ( ``b` (`a``b` DESC, `x,
  KEY y`(7)) COMMENT 'it''s, (',
  CONSTRAINT `ck ``q` CHECK (`x,
  KEY y` <> 'it''s )\n, `a` -- /* \\')
) COMMENT='it''s \\ `t`
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT';
CREATE VIEW `vi``ew` AS SELECT `a``b` AS `it's`, '`v`.' AS "x y" FROM `o``dd, "table" ( --`;
CREATE TABLE child (id int, parent int, up int, PRIMARY KEY (id), KEY k (parent, id DESC),
  CONSTRAINT fk FOREIGN KEY (up) REFERENCES child (id) ON DELETE SET NULL ON UPDATE CASCADE)
"""

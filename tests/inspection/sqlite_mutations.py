"""A SQLite schema with one of everything, what changes it, and what does not."""

BASE = """
CREATE TABLE customers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  email VARCHAR(100) NOT NULL COLLATE NOCASE,
  name VARCHAR(50) DEFAULT 'nobody',
  age SMALLINT DEFAULT 5 CONSTRAINT ck_age CHECK (age > 0),
  balance DECIMAL(10, 2) NOT NULL DEFAULT -1.5,
  seen DATETIME DEFAULT CURRENT_TIMESTAMP,
  born DATE DEFAULT (date('now')),
  raw BLOB,
  state VARCHAR(3) CHECK (state IN ('new', 'old')),
  total INTEGER GENERATED ALWAYS AS (age * 2) STORED,
  twice INTEGER AS (age * 2),
  code TEXT UNIQUE ON CONFLICT IGNORE,
  CONSTRAINT uq_email UNIQUE (email, name),
  CONSTRAINT ck_name CHECK (name <> 'x')
);
CREATE TABLE orders (
  id INTEGER NOT NULL,
  line INTEGER NOT NULL,
  customer INTEGER REFERENCES customers (id) ON DELETE CASCADE,
  other INTEGER,
  CONSTRAINT pk PRIMARY KEY (id, line),
  CONSTRAINT fk_other FOREIGN KEY (other) REFERENCES customers (id)
    ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE plain (a INTEGER, b TEXT, c ANY) STRICT;
CREATE TABLE pairs (a INTEGER, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(word, tokenize = 'ascii');
CREATE INDEX ix_name ON customers (name, age DESC);
CREATE INDEX ix_lower ON customers (lower(name) COLLATE NOCASE);
CREATE INDEX ix_part ON customers (age) WHERE age > 3;
CREATE UNIQUE INDEX ux_raw ON customers (raw);
CREATE VIEW active AS SELECT id, email FROM customers WHERE age > 3;
CREATE TRIGGER tr AFTER INSERT ON plain WHEN new.a > 1 BEGIN DELETE FROM pairs; END;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
INSERT INTO alembic_version VALUES ('base');
"""

Change = str | tuple[str, str]
"""Statements afterwards, or a text of the base and what stands in its place."""

MUTATIONS: dict[str, Change] = {
    "a table more": "CREATE TABLE more (id int)",
    "a table less": "DROP TABLE orders",
    "a table renamed": "ALTER TABLE pairs RENAME TO duos",
    "a table strict no more": (") STRICT", ")"),
    "a strict table": (
        "PRIMARY KEY (a, b)) WITHOUT ROWID",
        "PRIMARY KEY (a, b)) WITHOUT ROWID, STRICT",
    ),
    "a table with row ids": (" WITHOUT ROWID", ""),
    "a table that is virtual otherwise": ("'ascii'", "'unicode61'"),
    "a table virtual no more": (
        "VIRTUAL TABLE words USING fts5(word, tokenize = 'ascii')",
        "TABLE words (word)",
    ),
    "a column more": "ALTER TABLE customers ADD COLUMN more TEXT",
    "a column less": "ALTER TABLE customers DROP COLUMN balance",
    "a column renamed": "ALTER TABLE customers RENAME COLUMN balance TO money",
    "a column in capitals": "ALTER TABLE customers RENAME COLUMN balance TO Balance",
    "columns in another order": ("a INTEGER, b TEXT, c ANY", "b TEXT, a INTEGER, c ANY"),
    "another type": ("age SMALLINT", "age BIGINT"),
    "no type": ("raw BLOB", "raw"),
    "a longer text": ("email VARCHAR(100)", "email VARCHAR(101)"),
    "more precision": ("DECIMAL(10, 2)", "DECIMAL(11, 2)"),
    "more scale": ("DECIMAL(10, 2)", "DECIMAL(10, 3)"),
    "nullable": ("email VARCHAR(100) NOT NULL", "email VARCHAR(100)"),
    "not nullable": ("raw BLOB", "raw BLOB NOT NULL DEFAULT x''"),
    "not nullable on conflict": ("(100) NOT NULL", "(100) NOT NULL ON CONFLICT REPLACE"),
    "a default": ("DEFAULT 5", "DEFAULT 6"),
    "a default of text": ("DEFAULT 5", "DEFAULT '5'"),
    "a default in capitals": ("'nobody'", "'Nobody'"),
    "a default with more space": ("'nobody'", "'no  body'"),
    "a default of NULL": ("DEFAULT 5", "DEFAULT NULL"),
    "a default's sign": ("DEFAULT -1.5", "DEFAULT +1.5"),
    "no default": (" DEFAULT 5", ""),
    "a default of another time": ("CURRENT_TIMESTAMP", "CURRENT_DATE"),
    "a default expression": ("date('now')", "date('now', 'utc')"),
    "a default that begins like a comment": ("DEFAULT 'nobody'", "DEFAULT '--nobody'"),
    "a binary default": ("raw BLOB", "raw BLOB DEFAULT x'ff00'"),
    "a collation": ("COLLATE NOCASE,\n", "COLLATE RTRIM,\n"),
    "no collation": (" COLLATE NOCASE,\n", ",\n"),
    "another expression": ("(age * 2) STORED", "(age * 3) STORED"),
    "a virtual column": (" STORED", " VIRTUAL"),
    "a stored column": ("AS (age * 2),", "AS (age * 2) STORED,"),
    "a column computed no more": (" GENERATED ALWAYS AS (age * 2) STORED", ""),
    "no autoincrement": (" AUTOINCREMENT", ""),
    "a primary key that is no row id": ("INTEGER PRIMARY KEY AUTOINCREMENT", "INT PRIMARY KEY"),
    "a descending primary key": (" PRIMARY KEY AUTOINCREMENT", " PRIMARY KEY DESC"),
    "a primary key's order": ("KEY (id, line)", "KEY (line, id)"),
    "a primary key's columns": ("KEY (id, line)", "KEY (id)"),
    "a primary key's name": ("CONSTRAINT pk ", "CONSTRAINT pk_orders "),
    "a primary key without a name": ("CONSTRAINT pk ", ""),
    "a primary key on conflict": ("(id, line)", "(id, line) ON CONFLICT FAIL"),
    "no primary key": ("  CONSTRAINT pk PRIMARY KEY (id, line),\n", ""),
    "a unique constraint less": ("  CONSTRAINT uq_email UNIQUE (email, name),\n", ""),
    "a unique constraint's name": ("uq_email", "uq_mail"),
    "a unique constraint without a name": ("CONSTRAINT uq_email ", ""),
    "a unique constraint's columns": ("UNIQUE (email, name)", "UNIQUE (email, age)"),
    "a unique constraint's order": ("UNIQUE (email, name)", "UNIQUE (name, email)"),
    "a unique constraint on conflict": ("IGNORE", "ABORT"),
    "a column unique no more": (" UNIQUE ON CONFLICT IGNORE", ""),
    "a unique column": ("raw BLOB", "raw BLOB UNIQUE"),
    "an index more": "CREATE INDEX ix_more ON customers (age)",
    "an index less": "DROP INDEX ix_name",
    "an index renamed": ("ix_name", "ix_named"),
    "an index's columns": ("(name, age DESC)", "(name)"),
    "an index's order": ("(name, age DESC)", "(age DESC, name)"),
    "an index's direction": ("age DESC", "age"),
    "an index's collation": (") COLLATE NOCASE);", ") COLLATE BINARY);"),
    "an index's expression": ("lower(name)", "upper(name)"),
    "an index's predicate": ("WHERE age > 3;\nCREATE UNIQUE", "WHERE age > 4;\nCREATE UNIQUE"),
    "an index of all rows": (" WHERE age > 3;\nCREATE UNIQUE", ";\nCREATE UNIQUE"),
    "an index unique no more": ("UNIQUE INDEX", "INDEX"),
    "a unique index": ("INDEX ix_name", "UNIQUE INDEX ix_name"),
    "a foreign key less": (" REFERENCES customers (id) ON DELETE CASCADE", ""),
    "a foreign key more": (
        "other INTEGER,",
        "other INTEGER, FOREIGN KEY (line) REFERENCES pairs (a),",
    ),
    "a foreign key's name": ("fk_other", "fk_another"),
    "a foreign key without a name": ("CONSTRAINT fk_other ", ""),
    "a foreign key's column": ("FOREIGN KEY (other)", "FOREIGN KEY (line)"),
    "a foreign key's table": ("REFERENCES customers (id)\n", "REFERENCES pairs (a)\n"),
    "a foreign key's own column": ("REFERENCES customers (id)\n", "REFERENCES customers (code)\n"),
    "a foreign key ON DELETE": ("ON DELETE CASCADE", "ON DELETE RESTRICT"),
    "a foreign key ON DELETE SET DEFAULT": ("ON DELETE CASCADE", "ON DELETE SET DEFAULT"),
    "a foreign key ON UPDATE": (" ON UPDATE CASCADE", ""),
    "a foreign key deferred no more": ("INITIALLY DEFERRED", "INITIALLY IMMEDIATE"),
    "a foreign key not deferrable": (" DEFERRABLE INITIALLY DEFERRED", ""),
    "a check less": (",\n  CONSTRAINT ck_name CHECK (name <> 'x')", ""),
    "a check more": ("raw BLOB", "raw BLOB CHECK (raw <> '')"),
    "another check": ("name <> 'x'", "name <> 'y'"),
    "a check's name": ("ck_name", "ck_named"),
    "a column's check's name": ("ck_age", "ck_years"),
    "an enum's new value": ("'old')", "'old', 'odd')"),
    "an enum in another order": ("('new', 'old')", "('old', 'new')"),
    "a view more": "CREATE VIEW more AS SELECT 1",
    "a view less": "DROP VIEW active",
    "another view": ("WHERE age > 3;\nCREATE TRIGGER", "WHERE age > 4;\nCREATE TRIGGER"),
    "a view in place of a table": "DROP TABLE orders; CREATE VIEW orders AS SELECT 1 AS id",
    "a trigger more": "CREATE TRIGGER more AFTER DELETE ON plain BEGIN SELECT 1; END",
    "a trigger less": "DROP TRIGGER tr",
    "another trigger": ("AFTER INSERT", "BEFORE INSERT"),
    "a trigger that does otherwise": ("DELETE FROM pairs", "DELETE FROM orders"),
    "a version table that is somebody's": "CREATE TABLE alembic_version2 (version_num TEXT)",
    "a name in quotes that looks like a constraint": (
        "plain (a INTEGER, b TEXT, c ANY)",
        '"plain" (a INTEGER, "b" TEXT UNIQUE, c ANY)',
    ),
}

HARMLESS: dict[str, Change] = {
    "nothing": "",
    "another spelling of a type": ("age SMALLINT", "age smallint"),
    "a comment": ("raw BLOB,", "raw BLOB, -- UNIQUE (raw)\n"),
    "rows": "INSERT INTO plain VALUES (1, 'x', 2); INSERT INTO pairs VALUES (1, 'a'), (2, 'b')",
    "rows gone": "INSERT INTO customers (email) VALUES ('a'), ('b'); DELETE FROM customers",
    "statistics": "INSERT INTO customers (email) VALUES ('a'), ('b'); ANALYZE",
    "no unused pages": "VACUUM",
    "another page size": "PRAGMA page_size = 8192; VACUUM",
    "a number of somebody's": "PRAGMA user_version = 7; PRAGMA application_id = 8",
    "a log beside": "PRAGMA journal_mode = WAL",
    "indexes made anew": "DROP INDEX ix_name; REINDEX;"
    " CREATE INDEX ix_name ON customers (name, age DESC)",
    "an index if it is not there": "DROP INDEX ix_name;"
    " create index  if not exists ix_name ON customers (name, age DESC)",
    "a table made anew": "DROP TABLE plain; CREATE TABLE IF NOT EXISTS plain"
    " (a INTEGER, b TEXT, c ANY) STRICT; CREATE TRIGGER tr AFTER INSERT ON plain"
    " WHEN new.a > 1 BEGIN DELETE FROM pairs; END",
    "a table that came and went": "CREATE TABLE x (a); DROP TABLE x",
    "another head": "UPDATE alembic_version SET version_num = 'other'",
    "two heads": "INSERT INTO alembic_version VALUES ('another')",
    "no heads": "DELETE FROM alembic_version",
    "no version table": "DROP TABLE alembic_version",
    "another version table": "DROP TABLE alembic_version;"
    " CREATE TABLE ALEMBIC_Version (version_num TEXT);"
    " CREATE INDEX v ON alembic_VERSION (version_num)",
}

HOSTILE = r"""
CREATE TABLE "o""dd, (t) -- x" /* ( a */ ( -- the columns, (
  "a ""b" INTEGER NOT NULL DEFAULT 'it''s, ( -- /* \', -- , (
  [c d]TEXT/* , */DEFAULT ( 'x' || ',)' ),
  `e``f` VARCHAR ( 10 , 2 ) CHECK(`e``f` <> ')' /* ) */) DEFAULT -5,
  'größe' "my, type" (3) DEFAULT "dq",
  plain,
  x UNSIGNED BIG INT DEFAULT x'ff' COLLATE "NOCASE" NULL,
  up INTEGER CONSTRAINT "fk 1" REFERENCES up("a, b") ON DELETE SET DEFAULT DEFAULT 1e-5,
  g GENERATED ALWAYS AS (plain || '),') VIRTUAL,
  CONSTRAINT [ck (1] CHECK ("a ""b" > 0 and '--' <> ','), constraint `uq``1`unique("a ""b", plain),
  FOREIGN KEY(x)REFERENCES "o""dd, (t) -- x"(x) ON UPDATE CASCADE,
  check (x>1)
) -- STRICT )
;
CREATE INDEX "ix ( 1" ON "o""dd, (t) -- x" ( "plain" DESC , lower([c d]) ) WHERE x = '(' -- end
;
CREATE VIEW "v (" AS SELECT '--  x'  AS a -- said
"""

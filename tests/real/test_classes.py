"""Schema classes on real servers: status, check, drift and upgrade of fleets that are a mess."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.project_folder import ENV_PY, ProjectFolder
from tests.real.conftest import Fleet

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("parents", metadata, sa.Column("id", sa.Integer, primary_key=True))
sa.Table(
    "orders", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("parents.id", name="fk_parent")),
    sa.Column("email", sa.String(80), nullable=False, index=True),
    sa.Column("total", sa.Numeric(12, 2), server_default="0", nullable=False),
)
"""
FIRST = """
op.create_table("parents", sa.Column("id", sa.Integer, primary_key=True))
op.create_table(
    "orders",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("parents.id", name="fk_parent")),
    sa.Column("email", sa.String(80), nullable=False),
)
op.create_index("ix_orders_email", "orders", ["email"])
"""
SECOND = """
op.add_column(
    "orders", sa.Column("total", sa.Numeric(12, 2), server_default="0", nullable=False)
)
"""
RUNS = """
import os
with open({path!r}, "a") as file:
    file.write(f"{{os.getpid()}}\\n")
"""
ALIKE = 6
MESS: dict[str, tuple[str, ...]] = {
    "index": ("CREATE INDEX ix_tmp ON orders (email, id)",),
    "column": ("ALTER TABLE orders ADD COLUMN note VARCHAR(20)",),
    "column_too": ("ALTER TABLE orders ADD COLUMN note VARCHAR(20)",),
    "table": ("CREATE TABLE junk (id INTEGER NOT NULL, PRIMARY KEY (id))",),
    "gone": ("DROP TABLE orders",),
    "unknown": ("UPDATE alembic_version SET version_num = 'ffff'",),
    "unversioned": ("DROP TABLE alembic_version",),
    "forgotten": ("DELETE FROM alembic_version",),
}


def models(shop: ProjectFolder, env_py: str = ENV_PY) -> Path:
    """Write models and two revisions that make them; return where env.py notes its runs."""
    runs = shop.folder / "runs"
    text = env_py.replace(
        "target_metadata = None", "from models import metadata as target_metadata"
    )
    shop.scripts(env_py=RUNS.format(path=str(runs)) + text)
    (shop.folder / "models.py").write_text(MODELS)
    shop.revision("a1", None, FIRST, 'op.drop_table("orders")\nop.drop_table("parents")')
    shop.revision("b2", "a1", SECOND, 'op.drop_column("orders", "total")')
    return runs


def ran(runs: Path) -> int:
    """How often env.py ran since it was asked last."""
    found = len(runs.read_text().splitlines()) if runs.exists() else 0
    runs.unlink(missing_ok=True)
    return found


class Mess:
    """A fleet of which most are alike, and each of the others is odd in its own way."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.shop = fleet, fleet.project
        fleet.declare(ALIKE + len(MESS) + 2)
        self.runs = models(self.shop)
        *_, self.behind, self.empty = fleet.tenants
        self.odd = dict(zip(MESS, fleet.tenants[ALIKE:], strict=False))
        self.shop.run("upgrade", "--exclude", f"prod/app/{self.empty}", "-o", "json")
        for name, tenant in self.odd.items():
            for sql in MESS[name]:
                fleet.rows(tenant, sql)
        self.shop.run("downgrade", f"prod/app/{self.behind}", "--revision", "a1", "--yes")
        ran(self.runs)

    def target(self, name: str) -> str:
        return f"prod/app/{self.odd[name]}"


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "mysql", "postgres"])
def mess(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Mess]:
    kind = request.param
    server = None if kind == "sqlite" else request.getfixturevalue(kind)
    made = Fleet(kind, ProjectFolder(tmp_path_factory.mktemp("mess")), server)
    yield Mess(made)
    made.drop()


def verdicts(answer: Any) -> dict[str, Any]:
    """What check says of each target, without what tells how it was found out."""
    ours = ("fingerprint", "server_version", "attempts", "seconds")
    return {t["name"]: {k: v for k, v in t.items() if k not in ours} for t in answer["targets"]}


def test_check_by_class_says_what_checking_every_target_says(mess: Mess) -> None:
    by_class = mess.shop.run("check", "-o", "json", code=3)
    runs = ran(mess.runs)
    each = mess.shop.run("check", "--every-target", "-o", "json", code=3)

    found, expected = verdicts(by_class.json), verdicts(each.json)
    assert [(found[name], expected[name]) for name in found if found[name] != expected[name]] == []
    states = by_class.states()
    assert list(states.values()).count("in_sync") == ALIKE
    assert {name: states[mess.target(name)] for name in mess.odd} == {
        "index": "differs",
        "column": "differs",
        "column_too": "differs",
        "table": "differs",
        "gone": "differs",
        "unknown": "unknown_revision",
        "unversioned": "behind",
        "forgotten": "behind",
    }
    # Five classes at head, each compared once; what has no known version table is asked for once;
    # and each of at most 16 workers learns first what env.py does.
    assert runs <= 5 * 2 + 2
    assert ran(mess.runs) > ALIKE + len(MESS)


def test_status_counts_the_classes(mess: Mess) -> None:
    told = mess.shop.run("status", code=3).out

    text = " ".join(told.split())
    assert f"app {ALIKE} at b2 · 5 at b2 with 4 different schemas" in text
    assert "1 at a1" in text
    assert "next: orchestrator drift tells how they differ" in text
    counted = mess.shop.run("status", "-o", "json", code=3).json["summary"]["classes"]
    assert sum(of["targets"] for of in counted) == len(mess.fleet.tenants)
    only_heads = mess.shop.run("status", "--heads", "-o", "json", code=3).json
    assert only_heads["summary"]["classes"] == []
    assert {t["fingerprint"] for t in only_heads["targets"]} == {None}


def test_drift_tells_who_differs_and_how(mess: Mess) -> None:
    told = mess.shop.run("drift", "-o", "json", code=4).json

    (at_head,) = (d for d in told["databases"] if d["heads"] == ["b2"])
    assert len(at_head["baseline"]["targets"]) == ALIKE
    lines = {
        tuple(of["targets"]): [found["text"] for found in of["differences"]]
        for of in at_head["classes"]
    }
    both = (mess.target("column"), mess.target("column_too"))
    assert set(lines) == {both, *((mess.target(n),) for n in ("index", "table", "gone"))}
    (extra,) = lines[both]
    assert extra.lower().startswith("extra column orders.note ")
    assert "(20)" in extra
    (index,) = lines[(mess.target("index"),)]
    assert index.replace(" ", "") == "extraindexix_tmponorders(email,id)"
    (junk,) = lines[(mess.target("table"),)]
    assert junk == "extra table junk (id)"
    assert lines[(mess.target("gone"),)][0] == "missing table orders (id, parent_id, email, total)"
    text = mess.shop.run("drift", code=4).out
    assert f"{mess.odd['column']}, {mess.odd['column_too']}: {extra}" in text
    assert "in 4 ways" in text


def test_drift_from_a_chosen_baseline_is_the_other_way_round(mess: Mess) -> None:
    base = mess.target("column")

    told = mess.shop.run("drift", "--baseline", base, "-o", "json", code=4).json

    (at_head,) = (d for d in told["databases"] if d["heads"] == ["b2"])
    assert base in at_head["baseline"]["targets"]
    (most,) = (of for of in at_head["classes"] if len(of["targets"]) == ALIKE)
    (missing,) = most["differences"]
    assert (missing["change"], missing["name"]) == ("missing", "note")
    alike = mess.fleet.tenants[0]
    told = mess.shop.run(
        "drift", f"prod/app/{alike}", "--baseline", base, "-o", "json", code=4
    ).json
    assert told["summary"] == {"targets": 2, "classes": 2, "differing": 1, "unreadable": 0}


def test_a_baseline_that_is_no_target_or_no_single_one_is_refused(mess: Mess) -> None:
    assert (
        "there is no tenant 'nobody'"
        in mess.shop.run("drift", "--baseline", "prod/app/nobody", code=2).err
    )
    assert "a baseline is one target" in mess.shop.run("drift", "--baseline", "prod", code=2).err


def test_status_and_drift_need_neither_models_nor_migrations(mess: Mess) -> None:
    before = mess.shop.run("status", "-o", "json", code=3).json
    files = [mess.shop.folder / "models.py", mess.shop.folder / "migrations/app/versions/b2.py"]
    texts = [path.read_text() for path in files]
    try:
        files[0].write_text("raise SystemExit('no models here')\n")
        files[1].write_text("import nowhere\n" + texts[1] + "\ndef broken(:\n")

        status = mess.shop.run("status", "-o", "json", code=3)
        drift = mess.shop.run("drift", "-o", "json", code=4)
        check = mess.shop.run("check", f"prod/app/{mess.fleet.tenants[0]}", "-o", "json", code=3)
    finally:
        for path, text in zip(files, texts, strict=True):
            path.write_text(text)

    assert status.states() == {t["name"]: t["state"] for t in before["targets"]}
    (warning,) = status.json["warnings"]
    assert "b2.py" in warning
    # The five at head, and of those at no revision the one that is truly empty.
    assert drift.json["summary"]["differing"] == 6
    (checked,) = check.json["targets"]
    assert "b2.py" in checked["failure"]["message"]


def test_an_upgrade_starts_no_worker_for_what_is_at_head(new_fleet: Callable[..., Fleet]) -> None:
    fleet = new_fleet("sqlite")
    fleet.declare(12)
    runs = models(fleet.project)
    fleet.project.run("upgrade")
    fleet.rows("t005", "UPDATE alembic_version SET version_num = 'a1'")
    fleet.rows("t005", "ALTER TABLE orders DROP COLUMN total")
    ran(runs)

    told = fleet.project.run("upgrade", "-o", "json")

    states = told.states()
    assert states.pop("prod/app/t005") == "done"
    assert set(states.values()) == {"unchanged"}
    # One confirms for all where the versions are; then learning, and the upgrade itself.
    assert ran(runs) <= 3
    assert {t["attempts"] for t in told.json["targets"] if t["state"] == "unchanged"} == {0}
    fleet.project.run("upgrade")
    assert ran(runs) == 1


def test_what_was_at_head_is_read_again_before_it_is_believed(project: ProjectFolder) -> None:
    """A revision of dev sends prod back, as a colleague with another checkout may."""
    project.config(
        """
        [project]
        name = "shop"
        [databases.app]
        script_location = "migrations/app"
        [environments.dev]
        url = "sqlite:///dev.db"
        [environments.prod]
        url = "sqlite:///prod_{tenant}.db"
        tenants = ["acme", "birch"]
        """
    )
    models(project)
    project.run("upgrade", "prod")
    sneaky = (
        "import sqlite3\n"
        f"other = sqlite3.connect({str(project.folder / 'prod_acme.db')!r})\n"
        "other.execute(\"UPDATE alembic_version SET version_num = 'a1'\")\n"
        "other.execute('ALTER TABLE orders DROP COLUMN total')\n"
        "other.commit()\n"
    )
    project.revision(
        "b2",
        "a1",
        "if context.get_bind().engine.url.database.endswith('dev.db'):\n"
        + "".join(f"    {line}\n" for line in sneaky.splitlines())
        + SECOND.strip(),
    )

    states = project.run("upgrade", "-o", "json").states()

    assert states == {"dev/app": "done", "prod/app/acme": "done", "prod/app/birch": "unchanged"}

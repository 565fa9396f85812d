"""Results that were never measured: what the renderers are shown in tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.actions.drifting import Deviation, DriftResult, Siblings
from orchestrator.actions.histories import History
from orchestrator.dispatch.results import Result
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.drift import Change, Drift
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Difference, Failure, Outcome, Revision, State
from orchestrator.snapshot.classes import SchemaClass

FIRST = Revision("3f2a9c41d07b", "create items", path="versions/3f2a_create_items.py")
SECOND = Revision("b81e0c5512aa", "add notes", down=(FIRST.id,), is_head=True)
URL = "mysql+pymysql://app:hunter2@{shard}.db.prod/{tenant}_{database}"


def target(name: str, url: str = URL, schema: str = "", **labels: str) -> Target:
    """Return a target by its name."""
    environment, database, *rest = name.split("/")
    tenant = rest[0] if rest else None
    shown = {"name": tenant, **labels} if tenant else labels
    filled = {"shard": "a", "tenant": tenant or "", "database": database, **labels}
    template = AddressTemplate.parse(url, schema, Path("/srv/shop"))
    return Target(environment, database, tenant, shown, template.fill(filled))


def outcome(name: str, state: State, **fields: Any) -> Outcome:
    """Return the outcome of a target."""
    return Outcome(name, state, **fields)


def result(verb: str, outcomes: Sequence[Outcome], **fields: Any) -> Result:
    """Return the result of ``verb``, with a target for each outcome."""
    targets = tuple(target(outcome.target) for outcome in outcomes)
    return Result(verb, targets, tuple(outcomes), **{"seconds": 1.24, **fields})


def names(pattern: str, tenants: Sequence[str]) -> list[str]:
    """Return target names: ``prod/orders/*`` with each tenant in the star's place."""
    return [pattern.replace("*", tenant) for tenant in tenants]


TENANTS = ("acme", "birch", "cedar", "dune", "elm", "[red]fir")
MISSING = Difference("add_column", "missing column items.note (VARCHAR(50))", "items", "note")
TYPE = Difference(
    "modify_type",
    "column items.price: INTEGER in the database, NUMERIC(10, 2) in the model",
    "items",
    "price",
    "INTEGER",
    "NUMERIC(10, 2)",
)
DOWN = Failure("(2003) Can't connect to MySQL server on 'a.db.prod' (timed out)", "is it up?")
HALF = Failure(
    "(1061) Duplicate key name 'ix_items_sku'",
    "undo what was executed, or finish the revision by hand and stamp it; then run it again",
    SECOND.id,
    "CREATE INDEX ix_items_sku\n    ON items (sku)",
    ("ALTER TABLE items ADD COLUMN note VARCHAR(50)", "UPDATE items\nSET note = ''"),
    half_applied=True,
)


def status_with_classes() -> Result:
    """Return targets of one database, one of them with a schema of its own."""

    def read(tenant: str, head: Revision, fingerprint: str, **fields: Any) -> Outcome:
        return outcome(
            f"prod/orders/{tenant}",
            State.CURRENT if head is SECOND else State.BEHIND,
            heads=(head.id,),
            fingerprint=fingerprint,
            server_version="MariaDB 10.11.6",
            **fields,
        )

    return result(
        "status",
        [
            read("acme", SECOND, "4c1f"),
            read("birch", FIRST, "9ab0", revisions=(SECOND,)),
            read("cedar", SECOND, "77e1"),
            read("dune", SECOND, "4c1f"),
            read("elm", SECOND, "4c1f"),
        ],
        warnings=("the scripts of orders can't be loaded: [red]no such module",),
    )


def drift() -> DriftResult:
    """Return a database with two classes beside its baseline, and one that can't be read."""
    targets = tuple(target(f"prod/orders/{tenant}") for tenant in TENANTS[:5])

    def of(fingerprint: str, *members: Target) -> SchemaClass:
        return SchemaClass("orders", "MariaDB", (SECOND.id,), fingerprint, members)

    def changed(name: str, detail: str, value: str | None, baseline: str | None) -> Drift:
        return Drift(Change.CHANGED, "column", "items", name, "", detail, value, baseline)

    differences = (
        changed("price", "type", "DECIMAL(10,2)", "DECIMAL(12,2)"),
        changed("note", "default", None, "'[red]'"),
        Drift(Change.EXTRA, "index", "items", "ix_tmp", value="(`email`)"),
        Drift(Change.MISSING, "unique constraint", "items", "uq", value="UNIQUE (sku)"),
        Drift(Change.MISSING, "column", "items", "sku", value="VARCHAR(20) NOT NULL"),
        Drift(Change.EXTRA, "table", "", "junk", value="(a, b)"),
        Drift(Change.CHANGED, "table", "", "items", "", "column order", "b, a", "a, b"),
        Drift(Change.CHANGED, "view", "", "totals", "", "definition", "SELECT 1", "SELECT 2"),
        Drift(Change.CHANGED, "table", "", "old", "", "written", "CREATE 1", "CREATE 2"),
        Drift(Change.EXTRA, "check constraint", "items", "(a > 0)", value="(a > 0)"),
        Drift(
            Change.CHANGED, "database", "", "", "", "collation", "utf8mb4_bin", "utf8mb4_general_ci"
        ),
    )
    siblings = Siblings(
        of("4c1f", *targets[:2]),
        (
            Deviation(of("77e1", targets[2]), differences),
            Deviation(of("9ab0", targets[3]), (), "it is gone"),
        ),
    )
    unread = outcome("prod/orders/elm", State.UNREACHABLE, failure=DOWN)
    return DriftResult(targets, (siblings,), ((targets[4], unread),), seconds=1.24)


def no_drift() -> DriftResult:
    """Return a database whose targets are alike."""
    siblings = drift().siblings[0]
    return DriftResult(siblings.baseline.members, (Siblings(siblings.baseline, ()),), seconds=0.2)


def status() -> Result:
    """Return a fleet of which some are behind, some empty, some worse."""
    up = {"heads": (SECOND.id,)}
    return result(
        "status",
        [
            *(outcome(n, State.CURRENT, **up) for n in names("dev/catalog/*", TENANTS)),
            *(
                outcome(n, State.EMPTY, revisions=(FIRST, SECOND))
                for n in names("dev/orders/*", TENANTS[:2])
            ),
            *(outcome(n, State.CURRENT, **up) for n in names("prod/catalog/*", TENANTS)),
            *(outcome(n, State.CURRENT, **up) for n in names("prod/orders/*", TENANTS[:3])),
            outcome("prod/orders/dune", State.UNKNOWN_REVISION, heads=("ffff00001111",)),
            outcome("prod/orders/elm", State.UNREACHABLE, failure=DOWN),
            outcome("prod/orders/[red]fir", State.BEHIND, heads=(FIRST.id,), revisions=(SECOND,)),
        ],
    )


def large_status() -> Result:
    """Return a thousand targets that are behind."""
    fleet = names("prod/orders/*", [f"tenant{n:04}" for n in range(1000)])
    behind = {"heads": (FIRST.id,), "revisions": (SECOND,)}
    return result("status", [outcome(name, State.BEHIND, **behind) for name in fleet])


def check() -> Result:
    """Return a fleet of which three differ alike and one in its own way."""
    return result(
        "check",
        [
            *(outcome(n, State.IN_SYNC) for n in names("dev/orders/*", TENANTS[:2])),
            *(
                outcome(n, State.DIFFERS, differences=(MISSING, TYPE))
                for n in names("prod/orders/*", TENANTS[:3])
            ),
            outcome("prod/orders/dune", State.DIFFERS, differences=(MISSING,)),
            outcome("prod/orders/elm", State.BEHIND, heads=(FIRST.id,), revisions=(SECOND,)),
        ],
    )


def upgrade() -> Result:
    """Return an upgrade in which everything went wrong that can."""
    move = {"heads_before": (FIRST.id,), "heads": (SECOND.id,), "revisions": (SECOND,)}
    doubt = Failure("the worker was killed (SIGKILL)", "look with `orchestrator status`", SECOND.id)
    locked = Failure("locked by connection 42 (app@10.0.0.7) since 12:03", "wait, or end it")
    return result(
        "upgrade",
        [
            *(outcome(n, State.DONE, **move) for n in names("dev/orders/*", TENANTS[:3])),
            *(
                outcome(n, State.UNCHANGED, heads=(SECOND.id,))
                for n in names("dev/orders/*", TENANTS[3:5])
            ),
            outcome("prod/catalog/acme", State.FAILED, failure=HALF, heads=(FIRST.id,)),
            *(
                outcome(n, State.FAILED, failure=DOWN)
                for n in names("prod/catalog/*", TENANTS[1:4])
            ),
            outcome("prod/catalog/elm", State.LOCKED, failure=locked),
            outcome("prod/catalog/[red]fir", State.IN_DOUBT, failure=doubt),
            *(
                outcome(n, State.BLOCKED, blocked_by="prod/catalog/acme")
                for n in names("prod/orders/*", TENANTS[:2])
            ),
            *(outcome(n, State.NOT_STARTED) for n in names("prod/orders/*", TENANTS[2:])),
        ],
        interrupted=True,
    )


def dry_run() -> Result:
    """Return what an upgrade would do."""
    return result(
        "upgrade",
        [
            *(
                outcome(n, State.PLANNED, revisions=(FIRST, SECOND))
                for n in names("dev/orders/*", TENANTS[:3])
            ),
            outcome(
                "dev/orders/dune", State.PLANNED, heads_before=(FIRST.id,), revisions=(SECOND,)
            ),
            outcome("dev/orders/elm", State.UNCHANGED, heads=(SECOND.id,)),
        ],
        dry_run=True,
    )


def nothing_to_do() -> Result:
    """Return an upgrade of targets that are all there already."""
    fleet = names("dev/orders/*", TENANTS)
    return result("upgrade", [outcome(n, State.UNCHANGED, heads=(SECOND.id,)) for n in fleet])


def history() -> History:
    """Return a history with targets at each revision, some empty, one unreadable."""
    standing = {SECOND.id: {"dev": 2, "prod": 5}, FIRST.id: {"prod": 1}, "": {"dev": 4}}
    lost = outcome("prod/orders/elm", State.UNREACHABLE, failure=DOWN)
    return History("orders", (SECOND, FIRST), ("dev", "prod"), standing, (lost,))


def branched_history() -> History:
    """Return a history with two bases, branches, a merge and a revision that needs another."""
    revisions = (
        Revision("f1", "audit items", ("e1",), ("audit",), is_head=True, depends_on=("b1",)),
        Revision("e1", "start audit", (), ("audit",)),
        Revision("d1", "merge", ("b1", "c1"), is_head=True),
        Revision("c1", "right", ("a1",)),
        Revision("b1", "left", ("a1",), ("left",)),
        Revision("a1", "create items"),
    )
    return History("orders", revisions, ("dev",), {"f1": {"dev": 2}, "d1": {"dev": 2}})


def fleet() -> list[Target]:
    """Return targets with labels, a schema and a secret among them."""
    postgres = "postgresql+psycopg://app:${env:PASSWORD}@db.staging/shop"
    return [
        target("staging/orders/acme", postgres, "{tenant}", tier="internal"),
        target("prod/orders/acme", tier="free", api_token="hunter2"),
        target("prod/orders/[red]fir", tier="free"),
        target("prod/catalog", "sqlite:///var/catalog.db"),
    ]

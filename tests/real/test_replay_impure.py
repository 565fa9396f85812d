"""What a revision's text may make of each target is built for each target."""

from collections.abc import Callable

import pytest

from orchestrator.rollout.outcomes import State
from tests.project_folder import ENV_PY
from tests.real.conftest import Fleet
from tests.real.replay_bodies import Body
from tests.real.replay_impure_bodies import CHANCES
from tests.real.replaying import CREATE, history, replayed, worker_of

INSERT = "INSERT INTO items (n, name) VALUES"


def names(fleet: Fleet) -> list[list[str]]:
    """What stands in each target's table."""
    sql = "SELECT name FROM items ORDER BY n, name"
    return [[row[0] for row in fleet.rows(tenant, sql)] for tenant in fleet.tenants]


@pytest.mark.parametrize("body", CHANCES, ids=repr)
def test_chance_and_the_clock_are_asked_for_each_target(
    new_fleet: Callable[[str], Fleet], body: Body
) -> None:
    fleet = new_fleet("sqlite")
    fleet.declare(4)
    history(fleet, body.of(1)[0])

    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 1, 1]

    found = {fleet.rows(tenant, "SELECT it FROM own_x1")[0] for tenant in fleet.tenants}
    assert len(found) == 4


def test_a_loop_over_rows_follows_each_targets_own(fleet: Fleet) -> None:
    fleet.declare(4)
    loop = f"""
    for (n,) in op.get_bind().execute(sa.text("SELECT n FROM items ORDER BY n")).all():
        op.execute(f"{INSERT} ({{n}} + 10, 'made of {{n}}')")
    """
    history(fleet, loop, f"op.execute(\"{INSERT} (50, 'last')\")")
    with worker_of(fleet) as worker:
        for number, tenant in enumerate(fleet.tenants):
            worker.done(tenant, revision="r0", replay=False)
            # The first two have the same rows: they send the same.
            many = 1 if number < 2 else number
            for n in range(many):
                fleet.rows(tenant, f"{INSERT} ({n}, 'own')")

        counts = replayed(fleet, worker)

    assert counts == [0, 0, 1, 1]
    made = [["own"] * n + [f"made of {k}" for k in range(n)] + ["last"] for n in (1, 1, 2, 3)]
    assert names(fleet) == made


def test_a_statement_may_be_about_its_own_target(fleet: Fleet) -> None:
    end = {
        "sqlite": "substr((SELECT file FROM pragma_database_list WHERE name = 'main'), -4)",
        "postgres": "right(current_database(), 4)",
    }.get(fleet.kind, "right(DATABASE(), 4)")
    fleet.declare(4)
    history(fleet, f'op.execute("{INSERT} (1, {end})")')

    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 2, 2]

    ends = [tenant if fleet.kind != "sqlite" else f"{tenant[-1]}.db" for tenant in fleet.tenants]
    assert names(fleet) == [[end] for end in ends]


TENANT = {
    "the connection's url": f"""
        name = str(op.get_bind().engine.url).removesuffix(".db")[-4:]
        op.execute(f"{INSERT} (1, '{{name}}')")
    """,
    "the server": f"""
        name = op.get_bind().execute(sa.text("SELECT current_database()")).scalar()[-4:]
        op.execute(f"{INSERT} (1, '{{name}}')")
    """,
    "the configuration": f"""
        from alembic import context
        name = context.config.get_main_option("sqlalchemy.url").removesuffix(".db")[-4:]
        op.execute(f"{INSERT} (1, '{{name}}')")
    """,
    "an argument": f"""
        from alembic import context
        name = context.get_x_argument(as_dictionary=True)["tenant"]
        op.execute(f"{INSERT} (1, '{{name}}')")
    """,
    "a module of the project": f"""
        import whose
        op.execute(f"{INSERT} (1, '{{whose.NAME}}')")
    """,
    "the process's environment": f"""
        import os
        op.execute(f"{INSERT} (1, '{{os.environ['WHOSE']}}')")
    """,
    "a file": f"""
        with open("whose.txt") as file:
            op.execute(f"{INSERT} (1, '{{file.read()}}')")
    """,
    "a file, by a loop and a method": f"""
        from pathlib import Path
        for name in (Path(__file__).parents[3] / "whose.txt").read_text().split():
            op.execute(f"{INSERT} (1, '{{name}}')")
    """,
}
WHOSE = """
import os, pathlib
import whose
name = context.config.get_main_option("sqlalchemy.url").removesuffix(".db")[-4:]
if name in {"t000", "t001"}:
    name = "same"
os.environ["WHOSE"] = whose.NAME = name
pathlib.Path("whose.txt").write_text(name)
"""


@pytest.mark.parametrize("body", TENANT.values(), ids=TENANT)
def test_what_names_the_target_is_built_though_two_sent_the_same(
    new_fleet: Callable[[str], Fleet], body: str
) -> None:
    kind = "postgres" if "current_database" in body else "sqlite"
    fleet = new_fleet(kind)
    fleet.declare(4)
    (fleet.project.folder / "whose.py").write_text("NAME = None\n")
    said = "target_metadata = None\n"
    fleet.project.scripts(env_py=ENV_PY.replace(said, said + WHOSE))
    history(fleet, body)

    with worker_of(fleet) as worker:
        counts = [worker.done(tenant, x=(f"tenant={tenant}",)) for tenant in fleet.tenants]

    assert counts == [0, 0, 1, 1]
    assert [found[0] for found in names(fleet)][2:] == ["t002", "t003"]


def test_what_a_revision_keeps_in_its_module_is_not_the_next_targets(fleet: Fleet) -> None:
    """Its text is pure: what it appends to begins anew for each target."""
    fleet.declare(3)
    fleet.project.revision("r0", None, CREATE)
    body = f"seen.append(1)\nop.execute(f\"{INSERT} ({{len(seen)}}, 'x')\")"
    fleet.project.revision("r1", "r0", body, header="seen = []\n")

    with worker_of(fleet) as worker:
        assert replayed(fleet, worker) == [0, 0, 2]

    assert [fleet.rows(tenant, "SELECT n FROM items") for tenant in fleet.tenants] == [[(1,)]] * 3


def test_a_revision_whose_file_is_changed_meanwhile_is_what_was_read(fleet: Fleet) -> None:
    fleet.declare(3)
    history(fleet, f"op.execute(\"{INSERT} (1, 'before')\")")
    with worker_of(fleet) as worker:
        assert worker.done("t000") == 0
        history(fleet, f"op.execute(\"{INSERT} (1, 'after')\")")
        assert worker.migrate("t001").state is State.DONE
        assert worker.migrate("t002").state is State.DONE

    assert names(fleet) == [["before"]] * 3

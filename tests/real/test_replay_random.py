"""Whatever a history is like, replaying it makes of a target what building it does."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.worker.jobs import Verb
from tests.effort import examples
from tests.project_folder import ENV_PY, ProjectFolder
from tests.real.conftest import Fleet
from tests.real.replay_bodies import PURE, Body, Graph, bodies_on, write
from tests.real.replay_impure_bodies import CHANCES, IMPURE
from tests.real.replaying import Worker, assert_all_alike, worker_of

ONE_EACH = "target_metadata=target_metadata, transaction_per_migration=True)"
# The first two are built, the others have the same rows.
ROWS = {"t000": "zero", "t001": "one", "t002": "two; %s", "t003": "two; %s", "t004": "two; %s"}
BUILT = "t004"


@dataclass(frozen=True)
class History:
    """A history, and what is done with it."""

    bodies: list[Body]
    graph: list[Graph]
    one_each: bool
    back: bool


@st.composite
def histories(draw: st.DrawFn, kind: str) -> History:
    """From three to eight revisions, in a line mostly; what is not pure is rarer than what is."""
    pure, other = bodies_on(kind, PURE), bodies_on(kind, IMPURE + CHANCES)
    body = st.one_of(*[st.sampled_from(pure)] * 3, st.sampled_from(other))
    bodies = draw(st.lists(body, min_size=2, max_size=6))
    graph: list[Graph] = []
    heads = ["r0"]
    for number in range(1, len(bodies) + 1):
        earlier = [f"r{n}" for n in range(number)]
        down = draw(st.sampled_from([earlier[-1]] * 4 + earlier))
        depends_on = draw(st.sampled_from([None] * 4 + earlier))
        graph.append((down, depends_on if depends_on != down else None))
        heads = [head for head in heads if head != down] + [f"r{number}"]
    if len(heads) > 1 and draw(st.booleans()):
        bodies.append(draw(body))
        graph.append((tuple(heads), None))
    return History(bodies, graph, draw(st.booleans()), draw(st.sampled_from([False, False, True])))


def prepare(fleet: Fleet, history: History) -> None:
    """Write the history in place of what the project had."""
    for folder in ("var", "migrations"):
        shutil.rmtree(fleet.project.folder / folder, ignore_errors=True)
    fleet.declare(5)
    env_py = ENV_PY.replace("target_metadata=target_metadata)", ONE_EACH)
    assert ONE_EACH in env_py
    fleet.project.scripts(env_py=env_py if history.one_each else ENV_PY)
    write(fleet, history.bodies, history.graph)


def migrate(fleet: Fleet, worker: Worker, history: History) -> list[int]:
    """Bring all to the end, and tell how many revisions were replayed to each."""
    for tenant, name in ROWS.items():
        worker.done(tenant, revision="r0", replay=False)
        fleet.rows(tenant, f"INSERT INTO base (id, name) VALUES (10, '{name}')")
    counts = []
    for tenant in fleet.tenants:
        replays = tenant != BUILT
        counts.append(worker.done(tenant, replay=replays))
        if history.back:
            worker.done(tenant, Verb.DOWNGRADE, revision="r0", replay=replays)
            counts[-1] = worker.done(tenant, replay=replays)
        assert worker.differs == []
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "mariadb", "mysql", "postgres"])
def test_replaying_leaves_what_building_leaves(
    kind: str, new_fleet: Callable[[str], Fleet], project: ProjectFolder
) -> None:
    @settings(max_examples=examples(40), deadline=None, derandomize=True)
    @given(histories(kind))
    def holds(history: History) -> None:
        fleet = new_fleet(kind)
        prepare(fleet, history)
        with worker_of(fleet) as worker:
            counts = migrate(fleet, worker, history)
        pure = sum(body.replays for body in history.bodies)
        assert counts == [0, pure if history.back else 0, pure, pure, 0]
        assert_all_alike(fleet, "t004", "t002", "t003")
        for body, table in zip(history.bodies, own_tables(history), strict=True):
            if body in CHANCES:
                found = {fleet.rows(tenant, f"SELECT it FROM {table}")[0] for tenant in ROWS}
                assert len(found) == len(ROWS), (body.name, found)
        fleet.drop()

    holds()


def own_tables(history: History) -> list[str]:
    """The name that each revision's own table has, if it has one."""
    return [f"own_x{number}" for number, _ in enumerate(history.bodies, 1)]

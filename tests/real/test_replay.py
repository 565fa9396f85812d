"""A target whose revisions were replayed is what building them would have left."""

from orchestrator.worker.jobs import Verb
from tests.real.conftest import Fleet
from tests.real.replay_bodies import PURE, bodies_on, write
from tests.real.replay_impure_bodies import CHANCES, IMPURE
from tests.real.replaying import assert_all_alike, replayed, worker_of


def test_every_pure_body_is_replayed_and_leaves_what_building_leaves(fleet: Fleet) -> None:
    fleet.declare(4)
    bodies = bodies_on(fleet.kind, PURE)
    write(fleet, bodies)

    with worker_of(fleet) as worker:
        counts = replayed(fleet, worker, fleet.tenants[:3])
        assert worker.done("t003", replay=False) == 0

    assert counts == [0, 0, 1 + sum(body.replays for body in bodies)]
    assert_all_alike(fleet)


def test_no_other_body_is_replayed_and_what_is_pure_is(fleet: Fleet) -> None:
    fleet.declare(4)
    write(fleet, bodies_on(fleet.kind, IMPURE + CHANCES))

    with worker_of(fleet) as worker:
        counts = replayed(fleet, worker, fleet.tenants[:3])
        assert worker.done("t003", replay=False) == 0

    assert counts == [0, 0, 1]
    assert_all_alike(fleet)


def test_down_and_up_again(fleet: Fleet) -> None:
    fleet.declare(4)
    bodies = bodies_on(fleet.kind, PURE)[:4]
    write(fleet, bodies)
    with worker_of(fleet) as worker:
        for tenant in fleet.tenants:
            replays = tenant != "t003"
            worker.done(tenant, replay=replays)
            worker.done(tenant, Verb.DOWNGRADE, replay=replays)
            assert fleet.tables(tenant) == {"alembic_version"}
            last = worker.done(tenant, replay=replays)

            # Each target's second way up is already replayed on the second.
            assert (last > 0) is (tenant in {"t001", "t002"})
    assert_all_alike(fleet)

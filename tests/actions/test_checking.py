"""Whose result a comparison is: of a class, or of the one that was compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.actions.checking import check_by_class
from orchestrator.config.models import Config
from orchestrator.dispatch.observer import NullObserver
from orchestrator.fleet.target import Target
from orchestrator.rollout.outcomes import Difference, Failure, Outcome, Revision, State
from tests.render.samples import target

EXTRA = Difference("remove_table", "extra table junk")


@dataclass
class FakeWorkers:
    """Answers for workers; remembers who was compared."""

    answer: Callable[[Target], Outcome]
    x: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    rounds: list[list[str]] = field(default_factory=list)
    are_elsewhere: bool = False

    @property
    def file(self) -> Any:
        prod: dict[str, Any] = {"url": "sqlite:///{tenant}.db", "x": self.x}
        cluster = {"kind": "dask", "scheduler": "tcp://127.0.0.1:8786"}
        model = Config.model_validate(
            {
                "project": {"name": "shop"},
                "databases": {"orders": {"script_location": "m"}},
                "environments": {
                    "prod": {**prod, "place": "{region}"} if self.are_elsewhere else prod
                },
                "engine": cluster if self.are_elsewhere else {},
            }
        )
        return type("File", (), {"config": model})

    def run(self, verb: str, targets: Sequence[Target], observer: Any) -> dict[str, Outcome]:
        self.rounds.append([t.tenant or "" for t in targets])
        return {t.name: self.answer(t) for t in targets}


@dataclass
class FakeSnapshot:
    standing: dict[str, Outcome]
    unloaded: frozenset[str] = frozenset()
    warnings: list[str] = field(default_factory=list)

    def outcomes(self, targets: Sequence[Target], observer: Any) -> dict[str, Outcome]:
        return self.standing


def fleet(*tenants: str, **labels: str) -> tuple[Target, ...]:
    return tuple(target(f"prod/orders/{tenant}", **labels) for tenant in tenants)


def at_head(of: Target, fingerprint: str | None = "aaaa", **fields: Any) -> Outcome:
    usual = {"heads": ("b2",), "fingerprint": fingerprint, "server_version": "MariaDB 10.11.6"}
    return Outcome(of.name, State.CURRENT, **{**usual, **fields})


def in_sync(of: Target, **fields: Any) -> Outcome:
    return Outcome(of.name, State.IN_SYNC, ("b2",), **{"heads": ("b2",), "data": False, **fields})


def check(
    workers: FakeWorkers, standing: dict[Target | str, Any], targets: Sequence[Target]
) -> dict:
    snapshot = FakeSnapshot({t.name: standing.get(t.tenant) or at_head(t) for t in targets})
    found = check_by_class(workers, snapshot, targets, NullObserver())
    return {t.tenant: found[t.name] for t in targets}


def test_one_member_is_compared_and_all_have_its_result() -> None:
    targets = fleet("acme", "birch", "cedar")
    workers = FakeWorkers(lambda t: replace(in_sync(t), state=State.DIFFERS, differences=(EXTRA,)))

    found = check(workers, {}, targets)

    assert workers.rounds == [["acme"]]
    assert {tenant: (o.state, o.differences, o.target) for tenant, o in found.items()} == {
        t.tenant: (State.DIFFERS, (EXTRA,), t.name) for t in targets
    }
    assert {o.fingerprint for o in found.values()} == {"aaaa"}


def test_another_schema_another_server_version_or_other_heads_are_compared_apart() -> None:
    targets = fleet("acme", "birch", "cedar", "dune")
    birch, cedar, dune = targets[1:]
    standing = {
        "birch": at_head(birch, "bbbb"),
        "cedar": at_head(cedar, server_version="MariaDB 11.4.2"),
        "dune": at_head(dune, heads=("c3",)),
    }
    workers = FakeWorkers(lambda t: in_sync(t, heads=("c3",) if t.tenant == "dune" else ("b2",)))

    check(workers, standing, targets)

    assert workers.rounds == [["acme", "birch", "cedar", "dune"]]


def test_what_was_not_fingerprinted_is_compared_by_itself() -> None:
    targets = fleet("acme", "birch")
    workers = FakeWorkers(in_sync)

    check(workers, {t.tenant: at_head(t, None) for t in targets}, targets)

    assert workers.rounds == [["acme", "birch"]]


def test_a_result_is_not_that_of_the_class_where_env_py_looked_beyond_the_target() -> None:
    targets = fleet("acme", "birch", "cedar")
    workers = FakeWorkers(lambda t: in_sync(t, data=True))

    found = check(workers, {}, targets)

    assert workers.rounds == [["acme"], ["birch", "cedar"]]
    assert {o.state for o in found.values()} == {State.IN_SYNC}


def test_a_member_that_moved_or_that_is_gone_speaks_for_itself_alone() -> None:
    targets = fleet("acme", "birch", "cedar")
    gone = Failure("no route", retryable=True)
    answers = {
        "acme": Outcome(targets[0].name, State.BEHIND, heads=("a1",)),
        "birch": Outcome(targets[1].name, State.UNREACHABLE, failure=gone),
        "cedar": in_sync(targets[2]),
    }
    workers = FakeWorkers(lambda t: answers[t.tenant or ""])

    found = check(workers, {}, targets)

    assert workers.rounds == [["acme"], ["birch"], ["cedar"]]
    assert [o.state for o in found.values()] == [State.BEHIND, State.UNREACHABLE, State.IN_SYNC]


def test_in_sync_at_other_heads_than_the_class_is_of_one_alone() -> None:
    targets = fleet("acme", "birch")
    workers = FakeWorkers(lambda t: in_sync(t, heads=("c3",) if t.tenant == "acme" else ("b2",)))

    check(workers, {}, targets)

    assert workers.rounds == [["acme"], ["birch"]]


def test_an_env_py_that_fails_for_one_fails_for_all() -> None:
    targets = fleet("acme", "birch", "cedar")
    broken = Failure("env.py:1: no such module")
    workers = FakeWorkers(lambda t: Outcome(t.name, State.FAILED, failure=broken))

    found = check(workers, {}, targets)

    assert workers.rounds == [["acme"], ["birch"]]
    assert {(o.target, o.failure) for o in found.values()} == {(t.name, broken) for t in targets}


def test_a_failure_that_a_second_member_does_not_share_is_told_of_nobody_else() -> None:
    targets = fleet("acme", "birch", "cedar", "dune")

    def answer(of: Target) -> Outcome:
        if of.tenant in ("acme", "cedar"):
            return Outcome(of.name, State.FAILED, failure=Failure(f"{of.tenant}: bad rows"))
        return in_sync(of)

    found = check(workers := FakeWorkers(answer), {}, targets)

    assert workers.rounds == [["acme"], ["birch"]]
    assert [o.state for o in found.values()] == [State.FAILED, *[State.IN_SYNC] * 3]


def test_members_that_fail_each_in_its_own_way_are_compared_one_by_one() -> None:
    targets = fleet("acme", "birch", "cedar")
    workers = FakeWorkers(
        lambda t: Outcome(t.name, State.FAILED, failure=Failure(f"{t.tenant}: bad rows"))
    )

    found = check(workers, {}, targets)

    assert [o.failure.message for o in found.values() if o.failure] == [
        f"{t.tenant}: bad rows" for t in targets
    ]


def test_what_a_member_printed_and_how_long_it_took_is_its_own() -> None:
    targets = fleet("acme", "birch")
    workers = FakeWorkers(lambda t: in_sync(t, output="comparing acme", seconds=3.0, attempts=1))

    found = check(workers, {}, targets)

    assert (found["acme"].output, found["acme"].attempts) == ("comparing acme", 1)
    assert (found["birch"].output, found["birch"].attempts, found["birch"].seconds) == ("", 0, 0.0)


def test_what_is_not_at_head_is_compared_with_nothing() -> None:
    targets = fleet("acme", "birch", "cedar")
    acme, birch, cedar = targets
    standing = {
        "acme": Outcome(acme.name, State.BEHIND),
        "birch": Outcome(birch.name, State.EMPTY, revisions=(Revision("a1", "first"),)),
        "cedar": Outcome(cedar.name, State.EMPTY, fingerprint="none"),
    }
    workers = FakeWorkers(lambda t: in_sync(t, heads=()))

    found = check(workers, standing, targets)

    assert workers.rounds == [["cedar"]]  # no revision at all: the models must be empty, too
    assert [o.state for o in found.values()] == [State.BEHIND, State.BEHIND, State.IN_SYNC]


def test_labels_in_the_arguments_of_env_py_are_told_apart_and_the_tenant_is_not() -> None:
    targets = (*fleet("acme", "birch", tier="free"), *fleet("cedar", tier="paid"))
    workers = FakeWorkers(in_sync, {"schema": "{tenant}", "edition": "{tier}"})

    check(workers, {}, targets)

    assert workers.rounds == [["acme", "cedar"]]


def test_on_a_cluster_each_place_compares_for_itself() -> None:
    targets = (*fleet("acme", "birch", region="eu"), *fleet("cedar", "dune", region="us"))

    for are_elsewhere, compared in ((False, ["acme"]), (True, ["acme", "cedar"])):
        check(workers := FakeWorkers(in_sync, are_elsewhere=are_elsewhere), {}, targets)

        assert workers.rounds == [compared]


def test_after_an_interrupt_what_was_not_compared_was_not_started() -> None:
    targets = fleet("acme", "birch")
    workers = FakeWorkers(in_sync, interrupted=True)

    found = check(workers, {}, targets)

    assert workers.rounds == []
    assert {o.state for o in found.values()} == {State.NOT_STARTED}

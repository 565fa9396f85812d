"""What pages ask a ledger, on every server: who somebody is, and what many runs look like."""

import pytest

from orchestrator.config.roles import Role
from orchestrator.errors import UsageError
from orchestrator.ledger import Holder, Ledger
from orchestrator.ledger.records import RunFilter, Standing
from orchestrator.rollout import events as e
from orchestrator.rollout.outcomes import Failure, Outcome, Revision, State
from tests.ledger.conftest import a_run

A, B = "prod/app/a", "prod/app/b"
LONG = "prod/app/" + "ü" * 400
ME = Holder("kim", "elsewhere", 1)


def play(ledger: Ledger, names: tuple[str, ...] = (A, B)) -> int:
    """Record a run: the first target is done, the second failed."""
    run = a_run(ledger, names)
    revision = (Revision("r2", "second"),)
    good = Outcome(names[0], State.DONE, ("r1",), ("r2",), revision, seconds=1.5)
    bad = Outcome(names[1], State.FAILED, ("r1",), ("r1",), failure=Failure("no"), seconds=0.25)
    with ledger.hold(run, ME) as hold:
        now = ledger.now()
        hold.write([e.RunStarted(now, "kim@host"), e.WaveStarted(now, 0, "canary")])
        for outcome in (good, bad):
            hold.write([e.AttemptStarted(now, outcome.target, 1)])
            hold.write([e.AttemptEnded(now + 1, 1, outcome)])
    return run


def test_tokens_and_sessions(ledger: Ledger) -> None:
    access = ledger.access
    token = access.add(" Kim Ünal ", Role.APPROVER, "ops@host", 3600)
    (row,) = access.tokens()
    assert (row.name, row.role, row.by) == ("Kim Ünal", Role.APPROVER, "ops@host")
    assert row.expires_at == row.created_at + 3_600_000
    assert row.used_at is None
    found = access.sign_in(token, 60)
    assert found is not None
    secret, person = found
    assert (person.name, person.role) == ("Kim Ünal", Role.APPROVER)
    assert access.person(secret) == person
    assert access.holder(token) is not None
    assert access.tokens()[0].used_at is not None
    assert access.person(secret.swapcase()) is None  # nor does a server take them for equal
    assert access.sign_in(token.swapcase(), 60) is None
    access.sign_out(secret)
    assert access.person(secret) is None
    again = access.sign_in(token, 60)
    assert again is not None
    assert access.revoke(row.id).revoked_at is not None
    assert access.person(again[0]) is None
    assert access.sign_in(token, 60) is None
    assert access.holder(token) is None
    with pytest.raises(UsageError, match="no token 99"):
        access.revoke(99)
    ended = access.sign_in(access.add("lou", Role.VIEWER, "x", None), 0)
    assert ended is not None
    assert access.person(ended[0]) is None
    assert access.begin("by link", Role.OPERATOR, 60)[1].role is Role.OPERATOR
    for nobody in ("", "  ", "a\nb", "x" * 300):
        with pytest.raises(UsageError, match="a token is somebody's"):
            access.add(nobody, Role.VIEWER, "x", None)


def test_the_audit(ledger: Ledger) -> None:
    ledger.access.record("kim", "abort", 7, "why\0", "run 7 is aborted")
    ledger.access.record("lou", "sign in", None, "from here", "done")
    assert [one.by for one in ledger.access.audit()] == ["lou", "kim"]
    (one,) = ledger.access.audit(7)
    assert (one.action, one.detail, one.outcome) == ("abort", "why\ufffd", "run 7 is aborted")


def test_what_is_asked_of_runs(ledger: Ledger) -> None:
    run = play(ledger)
    ledger.ask(run, "resume", "kim", "first")
    ledger.ask(run, "resume", "lou", "second")  # replaces the first
    ledger.ask(run, "retry", "lou", targets=[B, LONG])
    found = {one.what: one for one in ledger.asked()}
    assert (found["resume"].by, found["resume"].reason) == ("lou", "second")
    assert set(found["retry"].targets) == {B, LONG}
    ledger.answered(run)
    assert ledger.asked() == []
    with pytest.raises(UsageError, match="no run 99"):
        ledger.ask(99, "resume", "kim")


def test_the_map_of_a_run_and_its_pace(ledger: Ledger) -> None:
    run = play(ledger, (A, LONG))
    cells = ledger.cells(run)
    assert [(cell.name, cell.wave, cell.state) for cell in cells] == [
        (A, 0, State.DONE),
        (LONG, 0, State.FAILED),
    ]
    assert ledger.states(run) == [(0, State.DONE), (1, State.FAILED)]
    paces = ledger.paces(run)
    assert sorted((pace.state, pace.milliseconds) for pace in paces) == [
        (State.DONE, 1500),
        (State.FAILED, 250),
    ]
    assert ledger.paces(run, paces[-1].ended_at) == []
    assert ledger.mean(run) == 1500
    assert ledger.mean(a_run(ledger)) is None


def test_what_is_known_of_targets_over_many_runs(ledger: Ledger) -> None:
    first, second = play(ledger, (A, LONG)), play(ledger, (B, A))
    seen = ledger.seen()
    assert {name: (one.run, one.state) for name, one in seen.items()} == {
        A: (second, State.FAILED),
        B: (second, State.DONE),
        LONG: (first, State.FAILED),
    }
    assert seen[A].goal == ("r2",)
    runs = [(run.id, position, state) for run, position, state in ledger.runs_with(A)]
    assert runs == [(second, 1, State.FAILED), (first, 0, State.DONE)]
    assert ledger.runs_with("nobody") == []
    ledger.observe([Standing(LONG, "prod", "app", ("r0",), ledger.now())])
    assert ledger.heads_now()[LONG].heads == ("r0",)
    assert [one.heads for one in ledger.standing(A)][-1] == ("r2",)


def test_runs_are_filtered(ledger: Ledger) -> None:
    first, second = play(ledger), play(ledger)

    def ids(**wanted: object) -> list[int]:
        return [run.id for run in ledger.runs_like(RunFilter(**wanted))]  # type: ignore[arg-type]

    assert ids() == [second, first]
    assert ids(before=second) == [first]
    assert ids(verb="upgrade", by="kim") == [second, first]
    assert ids(by="%") == []  # no pattern
    assert ids(state="aborted") == []
    assert ids(verb="stamp") == []


def test_all_is_counted(ledger: Ledger) -> None:
    assert ledger.totals((100,)).runs == {}
    play(ledger)
    found = ledger.totals((100, 500, 2000))
    assert sum(found.runs.values()) == 1
    assert found.targets == {
        ("prod", "app", State.DONE): 1,
        ("prod", "app", State.FAILED): 1,
    }
    assert found.attempts[("prod", "app", State.FAILED)] == 1
    (durations,) = found.durations
    assert (durations.at_most, durations.count, durations.milliseconds) == ((0, 1, 2), 2, 1750)
    assert found.succeeded.keys() == {("prod", "app")}
    assert found.at_gates == ()

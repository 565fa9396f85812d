"""What a ledger promises on every server."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from orchestrator.errors import Refused, UsageError
from orchestrator.ledger import Held, Hold, Holder, LeaseLost, Ledger
from orchestrator.ledger.codec import path_of
from orchestrator.ledger.records import (
    LOST,
    ApprovalRecord,
    CommittingRecord,
    NewRun,
    NewTarget,
    NewWave,
    OverrideRecord,
    RemarkRecord,
    Standing,
    Which,
)
from orchestrator.rollout import events as e
from orchestrator.rollout.outcomes import Failure, Outcome, Revision, State
from tests.ledger.conftest import Place, a_run

A, B = "prod/app/a", "prod/app/b"
ME = Holder("kim", "elsewhere", 1)
YOU = Holder("lou", "elsewhere", 2)
R2 = (Revision("r2", "second"),)
BAD = Failure("no such table: x", "fix it", "r2", "ALTER TABLE x", ("CREATE TABLE y",), True)


def done(target: str, at: int = 20, number: int = 1, heads: tuple[str, ...] = ("r2",)) -> e.Event:
    outcome = Outcome(target, State.DONE, ("r1",), heads, R2, seconds=1.5)
    return e.AttemptEnded(at, number, outcome)


def everything(ledger: Ledger, run: int) -> list[object]:
    """All that a ledger knows of a run, but for the lease."""
    record = replace(ledger.run(run), heartbeat_at=None, token=0, holder=None)
    return [
        record,
        ledger.waves(run),
        ledger.targets(run),
        ledger.attempts(run),
        ledger.gates(run),
        ledger.approvals(run),
        ledger.overrides(run),
        ledger.remarks(run),
        ledger.doubts(),
        ledger.standings("prod", "app"),
    ]


def test_a_new_run_is_there_as_it_was_given(ledger: Ledger) -> None:
    parent = a_run(ledger)
    new = NewRun("shop", "rollback", "-1", "kim@host", "d2", '{"a":1}', parent)
    target = NewTarget(A, "prod", "app", "s1", 0, None, ("r1",), "c1", {"labels": {"x": "é"}})
    empty = NewTarget(B, "prod", "app", "s1", 0, (), None)
    id_ = ledger.create(new, [NewWave("canary", "prod", 3, 2)], [target, empty])

    run = ledger.run(id_)
    assert (run.project, run.verb, run.revision, run.by) == ("shop", "rollback", "-1", "kim@host")
    assert (run.digest, run.parent, run.total, run.state) == ("d2", parent, 2, e.RunState.PAUSED)
    assert run.tally == {None: 2}
    assert abs(run.created_at - time.time() * 1000) < 60_000
    assert ledger.plan(id_) == '{"a":1}'
    (wave,) = ledger.waves(id_)
    assert (wave.name, wave.environment, wave.budget, wave.total) == ("canary", "prod", 3, 2)
    assert wave.state is e.WaveState.PENDING
    first, second = ledger.targets(id_)
    assert (first.name, first.heads, first.goal) == (A, None, ("r1",))
    assert (first.server, first.schema_class) == ("s1", "c1")
    assert first.detail == {"labels": {"x": "é"}}
    assert (second.heads, second.goal, second.state) == ((), None, None)
    assert [record.id for record in ledger.runs()] == [id_, parent]


def test_a_run_goes_through_its_states(ledger: Ledger) -> None:
    hold = ledger.hold(run := a_run(ledger), ME)
    steps: Sequence[tuple[e.Event, tuple[object, ...]]] = [
        (e.RunStarted(10, "kim"), ("running", None, None, 10, None)),
        (e.RunWaiting(11, "soak until noon", 99), ("waiting", "soak until noon", None, 10, None)),
        (e.RunPaused(12, "asked", "lou"), ("paused", "asked", "lou", 10, None)),
        (e.RunResumed(13, "kim"), ("running", None, None, 10, None)),
        (e.RunFailed(14, "over budget"), ("failed", "over budget", None, 10, 14)),
        (e.RunResumed(15, "kim"), ("running", None, None, 10, None)),
        (e.RunAborted(16, "lou", "bad day"), ("aborted", "bad day", "lou", 10, 16)),
        (e.RunDone(17), ("done", None, None, 10, 17)),
    ]
    for event, expected in steps:
        hold.write([event])
        now = ledger.run(run)
        assert (now.state, now.reason, now.stopped_by, now.started_at, now.ended_at) == expected
        assert now.waits_until == (99 if isinstance(event, e.RunWaiting) else None)


def test_resuming_a_run_that_was_never_started_starts_it(ledger: Ledger) -> None:
    hold = ledger.hold(run := a_run(ledger), ME)
    hold.write([e.RunResumed(7, "kim")])
    now = ledger.run(run)
    assert (now.state, now.started_at) == ("running", 7)


@pytest.mark.parametrize(("asked", "left"), [("pause", None), ("abort", "abort")])
def test_a_pause_is_for_who_holds_a_run_and_an_abort_for_everybody(
    ledger: Ledger, asked: str, left: str | None
) -> None:
    ledger.request(run := a_run(ledger), asked, "lou")
    hold = ledger.hold(run, ME)
    assert ledger.run(run).request == left
    ledger.request(run, "abort", "max")
    hold.write([e.RunResumed(7, "kim")])
    assert ledger.run(run).request == "abort", "what was asked meanwhile stays"


STORY: Sequence[e.Event] = (
    e.RunStarted(10, "kim"),
    e.WaveStarted(11, 0),
    e.AttemptStarted(12, A, 1),
    e.RevisionCommitting(13, A, 1, "r2", "ALTER TABLE x"),
    e.RevisionCommitting(13, A, 1, "r3", "ALTER TABLE y", ("r4", "r5")),
    e.RevisionCommitting(14, A, 1, "r3", "ALTER TABLE y", ("r4",)),
    e.AttemptLost(14, A, 1, "its worker died"),
    e.AttemptStarted(15, A, 2),
    e.AttemptEnded(
        16, 2, Outcome(A, State.FAILED, ("r1",), ("r1",), failure=BAD, seconds=0.25), final=False
    ),
    e.AttemptStarted(17, A, 3),
    done(A, 18, 3),
    e.AttemptStarted(18, B, 1),
    e.AttemptEnded(19, 1, Outcome(B, State.IN_DOUBT, ("r1",), failure=BAD)),
    e.TargetSettled(20, Outcome("prod/app/c", State.BLOCKED, blocked_by=B)),
    e.TargetSettled(21, Outcome("prod/app/d", State.UNCHANGED, ("r2",), ("r2",))),
    e.TargetSettled(21, Outcome("prod/app/e", State.BLOCKED, blocked_by=B)),
    e.TargetSkipped(22, "prod/app/e", "lou", "it is no use"),
    e.TargetSettled(22, Outcome("prod/app/f", State.BLOCKED, blocked_by=B)),
    e.TargetRetried(23, "prod/app/f", "kim"),
    e.WaveEnded(24, 0, e.WaveState.GATE, 2),
    e.GateFailed(25, 0, e.GateKind.QUERY, "3, not 0"),
    e.GateFailed(26, 0, e.GateKind.QUERY, "2, not 0"),
    e.GatePassed(27, 0, e.GateKind.QUERY, "0"),
    e.GateFailed(28, 0, e.GateKind.COMMAND, "exit 1"),
    e.Overridden(28, 0, e.GateKind.COMMAND, "kim", "known flake", "exit 1"),
    e.Approved(29, 0, "lou", "fine"),
    e.WaveEnded(30, 0, e.WaveState.PASSED, 2),
    e.RunDone(31),
)
CAST = tuple(f"prod/app/{letter}" for letter in "abcdef")


def _story_is_told(ledger: Ledger, run: int) -> None:
    one, two, three, four, five, six = ledger.targets(run)
    assert (one.state, one.attempts, one.settled_at, one.doubt) == (State.DONE, 3, 18, False)
    assert (two.state, two.attempts, two.settled_at, two.doubt) == (State.IN_DOUBT, 1, 19, True)
    assert (three.state, three.blocked_by, three.settled_at) == (State.BLOCKED, B, 20)
    assert (four.state, four.settled_at) == (State.UNCHANGED, 21)
    assert (five.state, five.blocked_by, five.settled_at) == (State.SKIPPED, None, 22)
    assert (six.state, six.blocked_by, six.settled_at) == (None, None, None)

    lost, failed, succeeded, doubtful = ledger.attempts(run)
    assert (lost.target, lost.number, lost.started_at, lost.ended_at) == (A, 1, 12, 14)
    assert lost.state == LOST
    assert lost.failure == Failure("its worker died")
    assert lost.committing == (
        CommittingRecord("r2", "ALTER TABLE x"),
        CommittingRecord("r3", "ALTER TABLE y", ("r4",)),
    )
    assert (failed.state, failed.failure, failed.milliseconds) == (State.FAILED, BAD, 250)
    assert (failed.heads_before, failed.heads_after) == (("r1",), ("r1",))
    assert (succeeded.number, succeeded.state, succeeded.milliseconds) == (3, State.DONE, 1500)
    assert (succeeded.revisions, succeeded.heads_after) == (("r2",), ("r2",))
    assert (doubtful.target, doubtful.state, doubtful.failure) == (B, State.IN_DOUBT, BAD)

    query, command = ledger.gates(run)
    assert (query.kind, query.state, query.tries, query.at) == ("query", "passed", 3, 27)
    assert (command.kind, command.state, command.detail) == ("command", "overridden", "exit 1")
    assert ledger.approvals(run) == [ApprovalRecord(0, "lou", "fine", 29)]
    override = OverrideRecord(0, e.GateKind.COMMAND, "kim", "known flake", "exit 1", 28)
    assert ledger.overrides(run) == [override]
    assert ledger.remarks(run) == [
        RemarkRecord("prod/app/e", "skipped", "lou", "it is no use", 22),
        RemarkRecord("prod/app/f", "retried", "kim", "", 23),
    ]
    (doubt,) = ledger.doubts()
    assert (doubt.run, doubt.target, doubt.number, doubt.since) == (run, B, 1, 19)
    assert (doubt.heads_before, doubt.failure) == (("r1",), BAD)
    (wave,) = ledger.waves(run)
    assert (wave.state, wave.failed, wave.started_at, wave.ended_at) == ("passed", 2, 11, 30)
    assert ledger.standings("prod", "app") == {
        A: [
            Standing(A, "prod", "app", ("r2",), 18, run),
            Standing(A, "prod", "app", ("r1",), 16, run),
        ],
        "prod/app/d": [Standing("prod/app/d", "prod", "app", ("r2",), 21, run)],
    }


@pytest.mark.parametrize("size", [1, len(STORY)])
def test_every_event_can_be_read_back(ledger: Ledger, size: int) -> None:
    hold = ledger.hold(run := a_run(ledger, CAST), ME)
    for at in range(0, len(STORY), size):
        hold.write(STORY[at : at + size])
    _story_is_told(ledger, run)


@pytest.mark.parametrize("size", [1, 5, len(STORY)])
def test_what_is_written_twice_is_there_once(ledger: Ledger, size: int) -> None:
    hold = ledger.hold(run := a_run(ledger, CAST), ME)
    for at in range(0, len(STORY), size):
        hold.write(STORY[at : at + size])
        before = everything(ledger, run)
        hold.write(STORY[at : at + size])
        assert everything(ledger, run) == before
    _story_is_told(ledger, run)


def test_an_event_of_no_target_of_the_run_is_a_mistake_and_writes_nothing(ledger: Ledger) -> None:
    hold = ledger.hold(run := a_run(ledger), ME)
    with pytest.raises(ValueError, match="no target 'prod/app/z'"):
        hold.write([e.AttemptStarted(1, A, 1), e.AttemptStarted(1, "prod/app/z", 1)])
    assert ledger.attempts(run) == []


def test_attempts_can_be_chosen(ledger: Ledger) -> None:
    hold = ledger.hold(run := a_run(ledger, CAST), ME)
    hold.write([*STORY[:13], e.AttemptStarted(40, "prod/app/c", 1)])

    def chosen(which: Which, **how: object) -> list[tuple[str, int]]:
        found = ledger.attempts(run, which, **how)  # type: ignore[arg-type]  # as a test says it
        return [(attempt.target[-1], attempt.number) for attempt in found]

    assert chosen(Which.ALL, target=A) == [("a", 1), ("a", 2), ("a", 3)]
    assert chosen(Which.NEWEST) == [("a", 3), ("b", 1), ("c", 1)]
    assert chosen(Which.OPEN) == [("c", 1)]
    assert chosen(Which.FAILED) == [("a", 1), ("a", 2), ("b", 1)]
    assert chosen(Which.SLOWEST, limit=2) == [("a", 3), ("a", 2)]
    assert [t.name for t in ledger.targets(run, [State.DONE, None])] == [
        A,
        *(f"prod/app/{letter}" for letter in "cdef"),
    ]


def test_an_estimate_is_of_equal_work_that_succeeded(ledger: Ledger) -> None:
    hold = ledger.hold(a_run(ledger), ME)
    slow = Outcome(B, State.DONE, ("r1",), ("r2",), R2, seconds=2.5)
    bad = Outcome(A, State.FAILED, ("r1",), ("r1",), R2, seconds=60)
    hold.write([e.AttemptStarted(1, A, 1), e.AttemptEnded(2, 1, bad, final=False)])
    hold.write([e.AttemptStarted(3, A, 2), done(A, 4, 2)])
    hold.write([e.AttemptStarted(3, B, 1), e.AttemptEnded(5, 1, slow)])
    key = ("app", path_of("upgrade", ["r2"]))
    found = ledger.durations([key, ("app", path_of("upgrade", ["r3"])), ("other", key[1])])
    assert list(found) == [key]
    assert (found[key].milliseconds, found[key].count) == (2000, 2)


def test_a_stamp_ends_doubts_in_every_run(ledger: Ledger) -> None:
    doubtful = [e.AttemptStarted(1, A, 1), e.AttemptEnded(2, 1, Outcome(A, State.IN_DOUBT))]
    other = [e.AttemptStarted(1, B, 1), e.AttemptEnded(2, 1, Outcome(B, State.IN_DOUBT))]
    ledger.hold(a_run(ledger), ME).write([*doubtful, *other])
    upgrade = ledger.hold(a_run(ledger), ME)
    upgrade.write([e.AttemptStarted(3, A, 1), done(A, 4)])
    assert [doubt.target for doubt in ledger.doubts()] == [A, B]
    assert [doubt.target for doubt in ledger.doubts([A, "prod/app/z"])] == [A]
    stamp = ledger.hold(a_run(ledger, verb="stamp"), ME)
    stamp.write([e.AttemptStarted(5, A, 1), done(A, 6)])
    assert [doubt.target for doubt in ledger.doubts()] == [B]


def test_standings_are_written_where_heads_differ(ledger: Ledger) -> None:
    def seen(*heads: str, at: int) -> None:
        ledger.observe([Standing(A, "prod", "app", heads, at)])

    seen("r1", at=10)
    seen("r1", at=20)
    seen("r3", "r2", at=30)
    seen("r2", "r3", at=40)
    seen("r1", at=5)  # by a clock that was set back: news all the same
    found = ledger.standings("prod", "app")[A]
    assert [(one.heads, one.since) for one in found] == [
        (("r1",), 5),
        (("r2", "r3"), 30),
        (("r1",), 10),
    ]
    assert ledger.standings("prod", "other") == {}


NAMES = ("prod/app/" + "ü" * 255, "prod/app/" + "x" * 700, "prod/app/" + "x" * 700 + "y")
ODD = ('it\'s "1" `%s` \\ ; :x', "🦊", "A", "a", "ä", "a\u0308", "ß", "ss", "\0nul", "half \ud83e")


def test_names_of_any_kind_are_told_apart(ledger: Ledger) -> None:
    hold = ledger.hold(run := a_run(ledger, NAMES + ODD), ME)
    for number, name in enumerate(NAMES + ODD):
        hold.write([e.AttemptStarted(number, name, 1), done(name, number + 1, heads=(name,))])
    expected = [name.replace("\0", "\ufffd").replace("\ud83e", "?") for name in NAMES + ODD]
    assert [target.name for target in ledger.targets(run)] == expected
    assert [attempt.started_at for attempt in ledger.attempts(run)] == list(range(len(expected)))
    assert list(ledger.standings("prod", "app")) == expected[::-1]
    for name, kept in zip(NAMES + ODD, expected, strict=True):
        assert [attempt.target for attempt in ledger.attempts(run, target=name)] == [kept]
    ledger.observe([Standing(name, "prod", "app", (name,), 99) for name in NAMES + ODD])
    assert all(len(several) == 1 for several in ledger.standings("prod", "app").values())


def test_texts_of_any_kind_are_kept(ledger: Ledger) -> None:
    hold = ledger.hold(run := a_run(ledger), ME)
    odd = "".join(ODD) + "💥" * 70_000
    failure = Failure(odd[:1000], executed=("x" * 300_000,))
    hold.write([e.RunPaused(1, odd, odd), e.Approved(2, 0, odd, odd), e.AttemptStarted(3, A, 1)])
    hold.write([e.AttemptEnded(4, 1, Outcome(A, State.FAILED, failure=failure))])
    reason = ledger.run(run).reason
    assert reason is not None
    assert reason.endswith("💥" * 70_000)
    (attempt,) = ledger.attempts(run)
    assert attempt.failure is not None
    assert attempt.failure.message == odd[:1000]
    assert len(attempt.failure.executed[0]) == 200_000


def test_an_unknown_run_is_said(ledger: Ledger) -> None:
    run = a_run(ledger)
    for ask in (ledger.run, ledger.plan, lambda id_: ledger.hold(id_, ME)):
        with pytest.raises(UsageError, match=f"has no run 4711; the newest are {run}"):
            ask(4711)
    with pytest.raises(UsageError, match="has no run 4711"):
        ledger.request(4711, "pause", "lou")
    with pytest.raises(UsageError, match="has no run 4711"):
        ledger.approve(4711, 0, "lou", "")


def test_unfinished_runs_can_be_asked_for(ledger: Ledger) -> None:
    over, left = a_run(ledger), a_run(ledger)
    ledger.hold(over, ME).write([e.RunStarted(1, "kim"), e.RunDone(2)])
    assert [run.id for run in ledger.runs(unfinished=True)] == [left]
    assert [run.id for run in ledger.runs(limit=1)] == [left]


def test_others_reach_a_run_that_we_hold(ledger: Ledger, place: Place) -> None:
    hold = ledger.hold(run := a_run(ledger), ME)
    first = hold.beat()
    assert (first.request, first.by, first.approvals) == (None, None, ())
    assert abs(first.now - time.time() * 1000) < 60_000
    with Ledger.open(place.location) as other:
        other.request(run, "pause", "lou")
        other.approve(run, 0, "lou", "fine")
    asked = hold.beat()
    assert (asked.request, asked.by) == ("pause", "lou")
    (approval,) = asked.approvals
    assert (approval.wave, approval.by, approval.note) == (0, "lou", "fine")
    assert hold.beat().approvals == ()
    hold.write([e.Approved(approval.at, approval.wave, approval.by, approval.note)])
    assert ledger.approvals(run) == [approval]
    ledger.request(run, "abort", "max")
    ledger.request(run, "pause", "lou")
    assert (ledger.run(run).request, ledger.run(run).request_by) == ("abort", "max")


def test_who_holds_a_run_keeps_others_off(ledger: Ledger) -> None:
    hold = ledger.hold(run := a_run(ledger), ME)
    with pytest.raises(Held, match=rf"run {run} is held by kim@elsewhere \(process 1\)") as held:
        ledger.hold(run, YOU)
    assert 0 <= held.value.seconds < 10
    hold.release()
    assert ledger.run(run).holder is None
    assert ledger.hold(run, YOU).token == hold.token + 1


def test_a_lease_ends_by_the_clock_of_the_ledger(ledger: Ledger, place: Place) -> None:
    run = a_run(ledger)
    ledger.hold(run, ME)
    place.execute(f"UPDATE orchestrator_runs SET heartbeat_at = {ledger.now() - 5000}")
    with pytest.raises(Held):
        ledger.hold(run, YOU, ttl=30)
    ledger.hold(run, YOU, ttl=3)
    # A sign of life that is yet to come: the clock was set back.
    place.execute(f"UPDATE orchestrator_runs SET heartbeat_at = {ledger.now() + 60_000}")
    ledger.hold(run, ME, ttl=30)


def test_this_machines_clock_does_not_matter(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(ledger)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    hold = ledger.hold(run, ME)
    hold.beat()
    heartbeat = ledger.run(run).heartbeat_at
    assert heartbeat is not None
    assert heartbeat > 1_600_000_000_000
    assert ledger.now() >= heartbeat


def test_who_lost_the_lease_writes_nothing_at_all(ledger: Ledger) -> None:
    old = ledger.hold(run := a_run(ledger, CAST), ME)
    old.write([e.RunStarted(1, "kim")])
    new = ledger.hold(run, YOU, ttl=-1)
    before = everything(ledger, run)
    with pytest.raises(LeaseLost, match=r"lou@elsewhere \(process 2\) holds it now"):
        old.write(STORY)
    with pytest.raises(LeaseLost):
        old.beat()
    old.release()
    assert everything(ledger, run) == before
    new.write([e.RunDone(9)])
    new.release()
    with pytest.raises(LeaseLost, match="it was given up"):
        new.write([e.RunStarted(10, "lou")])


def test_of_two_who_come_at_one_instant_one_wins(ledger: Ledger) -> None:
    def come(number: int) -> Hold | None:
        try:
            return ledger.hold(run, Holder("kim", "elsewhere", number))
        except (Held, Refused):
            return None

    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            run = a_run(ledger)
            won = [hold for hold in pool.map(come, range(4)) if hold is not None]
            assert len(won) == 1
            won[0].write([e.RunStarted(1, "kim")])


def test_beats_and_writes_go_beside_each_other(ledger: Ledger) -> None:
    names = [f"prod/app/{n}" for n in range(60)]
    hold = ledger.hold(run := a_run(ledger, names), ME)
    with ThreadPoolExecutor(1) as pool:
        beats = pool.submit(lambda: [hold.beat() for _ in range(60)])
        for name in names:
            hold.write([e.AttemptStarted(1, name, 1), done(name)])
        assert len(beats.result()) == 60
    assert ledger.run(run).tally == {State.DONE: 60}


def test_the_lease_of_a_process_that_died_here_is_free_at_once(
    ledger: Ledger, place: Place
) -> None:
    run = a_run(ledger)
    with _holding(place, run) as child:
        with pytest.raises(Held, match=rf"\(process {child.pid}\)"):
            ledger.hold(run, Holder.here())
        child.kill()
        child.wait()
    assert ledger.hold(run, Holder.here()).token == 2


def _holding(place: Place, run: int) -> subprocess.Popen[str]:
    code = """
import os, sys
from orchestrator.ledger import Holder, Ledger
from tests.ledger.conftest import located
ledger = Ledger.open(located(os.environ["LEDGER"]))
ledger.hold(int(sys.argv[1]), Holder.here())
print("held", flush=True)
sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(run)],
        env={**os.environ, "LEDGER": place.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_heads_that_changed_twice_in_one_millisecond_are_written_once(ledger: Ledger) -> None:
    seen = [
        Standing(A, "prod", "app", (head,), at) for head, at in (("r1", 5), ("r2", 9), ("r3", 9))
    ]
    ledger.observe(seen)
    before = ledger.standings("prod", "app")
    assert [one.heads for one in before[A]] == [("r3",), ("r2",), ("r1",)]
    ledger.observe(seen)
    ledger.observe(seen[1:])
    assert ledger.standings("prod", "app") == before


def test_an_attempt_that_another_follows_settles_nothing(ledger: Ledger) -> None:
    hold = ledger.hold(run := a_run(ledger), ME)
    failed = Outcome(A, State.FAILED, ("r1",), ("r1",), failure=BAD)
    hold.write([e.AttemptStarted(1, A, 1), e.AttemptEnded(2, 1, failed, final=False)])
    target = ledger.targets(run)[0]
    assert (target.state, target.attempts, target.settled_at) == (None, 1, None)


def test_a_failure_that_read_no_heads_says_nothing_of_them(ledger: Ledger) -> None:
    hold = ledger.hold(a_run(ledger), ME)
    failed = e.AttemptEnded(2, 1, Outcome(A, State.FAILED, failure=BAD))
    at_base = e.AttemptEnded(2, 1, Outcome(B, State.DONE, ("r1",), ()))
    hold.write([e.AttemptStarted(1, A, 1), failed, e.AttemptStarted(1, B, 1), at_base])
    assert {name: one[0].heads for name, one in ledger.standings("prod", "app").items()} == {B: ()}


def test_many_runs_write_beside_each_other(ledger: Ledger) -> None:
    names = [f"prod/app/{n}" for n in range(16)]

    def work(holder: Holder) -> int:
        hold = ledger.hold(run := a_run(ledger, names), holder)
        for number in range(1, 11):
            heads = (f"r{number % 2}",)
            hold.write([e.AttemptStarted(number, name, number) for name in names])
            hold.write([done(name, number, number, heads) for name in names])
        return run

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(work, [Holder("kim", "elsewhere", n) for n in range(4)]))
    for run in runs:
        assert len(ledger.attempts(run)) == 160
        assert ledger.run(run).tally == {State.DONE: 16}

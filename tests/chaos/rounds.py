"""One round of chaos: a rollout in which things are killed, resumed until it is over."""

import random
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.ledger.records import AttemptRecord, RunRecord, TargetRecord, Which
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import State
from tests.chaos.moments import pausing, taken_up, wait_for
from tests.chaos.processes import fork_servers, kill, members, workers
from tests.chaos.revisions import (
    COUNTED,
    DDL_COMMITS,
    HEAD,
    KINDS,
    MARKED,
    POSTGRES,
    SCHEMAS,
    fix,
    heads,
    untouched,
)
from tests.chaos.setups import MORE_TENANTS, Setup
from tests.chaos.told import Told
from tests.chaos.world import AnyServer, Servers, World, away
from tests.project_folder import Ran, Started, wait_until

_COMMANDS = 25  # more than any round needs
_AIMED = 0.7
"""How often a server is killed in the midst of a revision: what is replayed is soon over."""
_FAILED = frozenset({State.FAILED, State.LOCKED})
_CODES = frozenset({0, 3, 5, 6})
_LEASE = 16.0
"""Seconds after which the ledger believes that who drives a run is gone."""
_AT_MOST = 180
"""Seconds that a command takes."""
_LAST_EVENTS = 40
_NOISE = ("Traceback", "Exception ignored", "was destroyed", "never retrieved", "never awaited")
"""What people are never to read."""
_UNHURRIED = 6
"""Commands after which everything is back before the next one, so that the round ends."""


@dataclass(slots=True)
class Round:
    """Plays a round to its end, and asserts that everything is as if nothing had happened."""

    setup: Setup
    world: World
    reference: Mapping[str, Any]
    told: Told = field(init=False)
    luck: random.Random = field(init=False)
    outputs: list[Ran] = field(default_factory=list)
    _sessions: list[int] = field(default_factory=list)
    _others: list[Started] = field(default_factory=list)
    """Commands that took over a run, and still run."""

    def __post_init__(self) -> None:
        self.told = Told(self.setup)
        self.luck = random.Random(self.setup.seed + 1)

    def play(self) -> Told:
        """Run until the run is over, then look at everything."""
        began = time.monotonic()
        kills = list(self.setup.kills)
        while arguments := self._next():
            assert self.told.commands < _COMMANDS, f"it does not end: {self.told}"
            self._command(arguments, kills.pop(0) if kills else ())
        self._assert_all_is_well()
        self.told.seconds = time.monotonic() - began
        return self.told

    def _next(self) -> tuple[str, ...]:
        """Return the command with which it goes on, none once it is over."""
        if self.told.commands > _UNHURRIED or self.luck.random() < 0.5:
            self.world.settle()
        else:
            self.world.restart_servers()
        run, rows, attempts = self._recorded()
        if run is None:
            return ("upgrade", "--yes")
        id_ = str(run.id)
        # Killed just before it recorded that it failed.
        to_fix = bool(self.outputs) and "once they are fixed" in self.outputs[-1].err
        if run.state in {RunState.PAUSED, RunState.RUNNING, RunState.WAITING} and not to_fix:
            return ("resume", id_)
        # One that failed is in doubt, too, where what it committed can't be rolled back.
        doubts = [
            row.name
            for row in rows
            if row.state is State.IN_DOUBT or (row.doubt and row.state in _FAILED)
        ]
        for name in doubts:
            self._human(name, attempts[name])
        if doubts:
            # All together: a run over its budget goes on only once nothing of it is left out.
            failed = [row.name for row in rows if row.state in _FAILED]
            return ("retry", id_, *dict.fromkeys((*doubts, *failed)))
        if any(row.state in _FAILED for row in rows):
            return ("retry", id_)
        return () if run.state is RunState.DONE else ("resume", id_)

    def _recorded(
        self,
    ) -> tuple[RunRecord | None, Sequence[TargetRecord], Mapping[str, AttemptRecord]]:
        if not self.world.has_ledger:
            return None, (), {}
        with self.world.ledger() as ledger:
            runs = ledger.runs()
            assert len(runs) < 2, runs
            if not runs:
                return None, (), {}
            newest = {a.target: a for a in ledger.attempts(runs[0].id, Which.NEWEST)}
            return runs[0], ledger.targets(runs[0].id), newest

    def _human(self, target: str, attempt: AttemptRecord) -> None:
        """Fix a target in doubt, as its message says."""
        failure = attempt.failure
        assert failure is not None, attempt
        if not failure.half_applied:  # nobody could look yet
            assert failure.retryable, attempt
            self.told.log.append(f"{target} could not be looked at")
            return
        kind = target.split("/")[1]
        assert kind in DDL_COMMITS | {POSTGRES, SCHEMAS}, attempt
        revision = next(r for r in self.world.history(kind) if r.id == failure.revision)
        assert kind in DDL_COMMITS or any(step.apart for step in revision.steps), attempt
        assert self._begun(target, revision.id), attempt

        def execute(sql: str) -> Sequence[Sequence[Any]]:
            return self.world.execute(target, sql)

        if (found := heads(execute)) != [revision.down] * bool(revision.down):
            # Killed before the COMMIT that was recorded: what came before it is rolled back, too.
            assert kind not in DDL_COMMITS, (found, attempt)
            assert untouched(revision, execute), (found, attempt)
            self.told.fixed.append(f"{target} {revision.id} untouched, at {found}")
            return
        fixed = fix(revision, execute, complete=self.luck.random() < 0.5)
        self.told.fixed.append(f"{target} {fixed}")

    def _begun(self, target: str, revision: str) -> bool:
        with self.world.ledger() as ledger:
            attempts = ledger.attempts(ledger.runs()[0].id, target=target)
        return any(revision in c.revisions for a in attempts for c in a.committing)

    def _command(self, arguments: tuple[str, ...], kills: Sequence[tuple[str, float]]) -> None:
        self.told.commands += 1
        events = self.world.folder / f"events{self.told.commands}"
        started = self.world.project.start(*arguments, "--events", str(events))
        began = time.monotonic()
        self._sessions.append(started.process.pid)
        said = arguments[0]
        for what, when in kills:
            if not wait_for(started, events, began, when):
                break
            said += f" [{what} {when:+.2f}{self._kill(what, started, events)}]"
        try:
            ran = _ended_by_itself(started)
            self._ended(ran, f"{said} {ran.code}{'' if '[' in said else _failed(ran)}", bool(kills))
            while self._others:
                ran = _ended_by_itself(self._others[-1])
                self._ended(ran, f"the other {self._others.pop() and ran.code}", False)
        finally:
            for one in (started, *self._others):
                if one.process.poll() is None:
                    one.kill()

    def _ended(self, ran: Ran, said: str, killed: bool) -> None:
        self.outputs.append(ran)
        self.told.log.append(said)
        # The other one may come when what is retried is not yet unfinished again, or is over.
        late = ran.code == 2 and "there is no unfinished run" in ran.err
        assert ran.code in _CODES or (ran.code == -9 and killed) or late, f"{self.told}\n{ran}"

    def _kill(self, what: str, started: Started, events: Path) -> str:
        pid = started.process.pid
        match what:
            case "orchestrator":
                started.process.kill()
            case "group":
                started.kill()
            case "worker" | "workers":
                return f" x{kill(workers(pid), self.luck, one=what == 'worker')}"
            case "fork server":
                kill(fork_servers(pid), self.luck, one=False)
            case "mariadb":
                self._crash(self.world.maria)
            case "mysql":
                self._crash(self.world.mysql)
            case "postgres":
                self._crash(self.world.postgres)
            case "ledger":
                return self._ledger_away(events)
            case "take over":
                return self._take_over(started, events)
            case _:
                assert self.world.machines is not None, "without a cluster there is no such kill"
                return self.world.machines.disturb(what, self.luck, started)
        return ""

    def _take_over(self, started: Started, events: Path) -> str:
        """Let somebody else resume the run while who drives it sleeps, and then wakes up."""
        if not taken_up(events):
            return " not yet"
        theirs = events.with_suffix(".other")
        started.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(_LEASE)
            other = self.world.project.start("resume", "--events", str(theirs))
            wait_until(lambda: taken_up(theirs) or other.process.poll() is not None)
        finally:
            started.process.send_signal(signal.SIGCONT)
        self._others.append(other)
        return ""

    def _crash(self, server: AnyServer) -> None:
        if self.setup.replays and self.luck.random() < _AIMED:
            pausing(server, self.world.prefix)
        server.kill()
        time.sleep(self.luck.choice((0.0, self.luck.uniform(0, 2.0))))
        server.restart()

    def _ledger_away(self, events: Path) -> str:
        if self.world.ledger_server is not None:
            self._crash(self.world.ledger_server)
        elif taken_up(events):  # before, another one would be made in its place
            with away(self.world.ledger_file.parent, self.luck.uniform(0.2, 2.5)):
                return " away"
        else:
            return " not yet"
        return ""

    def _assert_all_is_well(self) -> None:
        told = str(self.told)
        self.world.settle()
        wait_until(lambda: not any(map(members, self._sessions)), 30)
        wait_until(lambda: not self.world.sessions(), 30)
        for target in self.world.targets:
            self._assert_right(target)
        self._assert_ledger_agrees()
        self._assert_replayed()
        left = [p.name for p in (self.world.folder / "var").iterdir() if p.suffix != ".db"]
        assert not left, f"{left}: {told}"
        again = self.world.project.run("upgrade", "--yes", code=0)
        self.outputs.append(again)
        with self.world.ledger() as ledger:
            assert len(ledger.runs()) == 1, f"there was something left to do: {told}\n{again}"
        if self.world.machines is not None:
            self.world.machines.end()
        self._assert_no_secret()

    def _assert_right(self, target: str) -> None:
        told = f"{target}: {self.told}"
        counted = dict(self.world.execute(target, "SELECT revision, n FROM counter"))
        assert counted == dict.fromkeys(COUNTED, 1), f"{counted}: {told}"
        marks = sorted(row[0] for row in self.world.execute(target, "SELECT revision FROM marks"))
        assert marks == sorted(MARKED), f"{marks}: {told}"
        found = heads(lambda sql: self.world.execute(target, sql))
        assert found == [HEAD], f"{found}: {told}"
        kind = target.split("/")[1]
        assert self.world.snapshot(target) == self.reference[kind], told

    def _assert_ledger_agrees(self) -> None:
        told = str(self.told)
        with self.world.ledger() as ledger:
            run = ledger.runs()[0]
            assert run.state is RunState.DONE, told
            assert run.holder is None, told
            states = {row.name: row.state for row in ledger.targets(run.id)}
            assert set(states) == set(self.world.targets), told
            assert set(states.values()) <= {State.DONE, State.UNCHANGED}, f"{states}: {told}"
            assert not ledger.attempts(run.id, Which.OPEN), told
            assert not ledger.doubts(), told
            for kind in KINDS:
                standings = ledger.standings("prod", kind)
                for target in self.world.targets:
                    if target.split("/")[1] == kind:
                        assert standings[target][0].heads == (HEAD,), f"{target}: {told}"

    def _assert_replayed(self) -> None:
        """Without it, a round proves nothing of replaying; it leads where building does."""
        shown = self.world.project.run("show", "-o", "json")
        with self.world.ledger() as ledger:
            for attempt in ledger.attempts(ledger.runs()[0].id):
                if attempt.replayed:
                    self.told.replayed[attempt.target.split("/")[1]] += attempt.replayed
        assert shown.json["replayed"] == self.told.replayed.total(), self.told
        few = self.told.commands <= 2  # else all may have ended too early, or in many processes
        if self.setup.replays and few and not self.setup.cluster:
            assert self.told.replayed, self.told
        assert '"differs"' not in shown.out, f"{self.told}\n{shown}"

    def _assert_no_secret(self) -> None:
        password = self.world.maria.password
        texts = [f"{ran.out}{ran.err}" for ran in self.outputs]
        texts += [path.read_text() for path in self.world.folder.glob("events*")]
        texts += self.world.said()
        self._assert_no_noise(texts)
        for table in ("runs", "targets", "attempts"):
            rows = self.world.ledger_rows(f"SELECT * FROM orchestrator_{table}")
            texts.append(repr(rows))
        for secret in (password, quote(password, safe=""), quote(password)):
            assert not any(secret in text for text in texts), self.told

    def _assert_no_noise(self, texts: Sequence[str]) -> None:
        noise = [word for word in _NOISE if any(word in text for text in texts)]
        assert not noise, f"{noise}: {self.told}\n{texts}"


def _ended_by_itself(started: Started) -> Ran:
    """Wait for the end of a command, which comes."""
    try:
        return started.wait(None, timeout=_AT_MOST)
    except subprocess.TimeoutExpired as error:
        started.process.send_signal(signal.SIGABRT)  # it says where it is
        started.process.wait()
        events = Path(started.command[-1]).read_text().splitlines()[-_LAST_EVENTS:]
        error.add_note("\n".join((started.err, *events)))
        raise


def _failed(ran: Ran) -> str:
    """Say what failed in a command that nothing disturbed."""
    lines = [line for line in ran.err.splitlines() if line.startswith("failed ")]
    return f" ({'; '.join(lines)})" if lines else ""


def undisturbed(servers: Servers, folder: Path) -> dict[str, Any]:
    """Return what an upgrade that nothing disturbs makes of each kind of target."""
    world = World(servers, folder, "sqlite", ("t0",))
    world.make(budget="0", retries=0)
    try:
        world.project.run("upgrade", "--yes", code=0)
        return {target.split("/")[1]: world.snapshot(target) for target in world.targets}
    finally:
        world.drop()


def play(
    servers: Servers, folder: Path, setup: Setup, reference: Mapping[str, Any], tenants: int
) -> Told:
    """Play one round in an empty folder."""
    names = tuple(f"t{n}" for n in range(tenants + MORE_TENANTS * setup.replays))
    world = World(servers, folder, setup.ledger, names, setup.replays, setup.cluster)
    played = Round(setup, world, reference)
    try:
        world.make(budget=setup.budget, retries=setup.retries)
        return played.play()
    except Exception as error:
        error.add_note("\n".join((str(played.told), *world.said())))
        raise
    finally:
        world.restart_servers()
        world.drop()

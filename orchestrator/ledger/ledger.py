"""The ledger's public face."""

from collections.abc import Collection, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import delete, insert, or_, select, update

from orchestrator.errors import Refused, UsageError
from orchestrator.fleet.location import Location
from orchestrator.ledger import codec, lease, overview
from orchestrator.ledger import reading as read
from orchestrator.ledger import records as r
from orchestrator.ledger.access import Access
from orchestrator.ledger.changes import Place, Sighting
from orchestrator.ledger.clock import clock, now
from orchestrator.ledger.connecting import Database
from orchestrator.ledger.creating import create
from orchestrator.ledger.files import write_ahead
from orchestrator.ledger.hold import Hold
from orchestrator.ledger.holder import Holder
from orchestrator.ledger.schema import ensure
from orchestrator.ledger.standings import record
from orchestrator.ledger.tables import LONGEST_KEY, approvals, requests, runs
from orchestrator.ledger.writing import batches
from orchestrator.rollout.outcomes import State

_MANY = 500
_TTL = 15.0
"""Seconds after its last sign of life for which a holder keeps its run."""
_TRIES = 5


class Ledger:
    """A record of runs in a database, shared by all who use that database.

    Every method may raise ``LedgerLost``. Threads may share it; forked processes may not.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, location: Location) -> Self:
        """Open the ledger, making its tables where they are missing.

        Raises ``UsageError`` for a place where no ledger can be, ``Refused`` for one that can't
        be reached or that a newer program wrote.
        """
        database = Database(location)
        try:
            ensure(database)
            if location.backend == "sqlite":
                write_ahead(location, database.shown)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def access(self) -> Access:
        """Who may do what on a page."""
        return Access(self._database)

    def now(self) -> int:
        """The time, in milliseconds, by the ledger's clock."""
        with self._database.reading() as connection:
            return now(connection)

    def create(
        self, run: r.NewRun, waves: Sequence[r.NewWave], targets: Iterable[r.NewTarget]
    ) -> int:
        """Record a run, paused until somebody starts it, and return its number. All or nothing."""
        with self._database.writing() as connection:
            return create(connection, run, waves, targets)

    def hold(self, run: int, holder: Holder, *, ttl: float = _TTL) -> Hold:
        """Take the lease of a run.

        Raises ``Held`` while another holder lives, ``UsageError`` where there is no such run.
        """
        verb = self.run(run).verb
        token = None
        for _ in range(_TRIES):  # each time somebody else was faster, and mostly holds it now
            with self._database.writing() as connection:
                token = lease.take(connection, run, holder, ttl)
            if token is not None:
                break
        else:
            raise Refused(f"run {run}: too many want to hold it at once; try again")
        with self._database.reading() as connection:
            places = read.places_of(connection, run)
        return Hold(self._database, run, token, verb, places)

    def request(self, run: int, what: r.Request, by: str) -> None:
        """Ask whoever holds a run to pause or abort it. Nothing takes back an abort."""
        self._known(run)
        asked = update(runs).where(runs.c.id == run)
        if what == "pause":
            asked = asked.where(or_(runs.c.request.is_(None), runs.c.request != "abort"))
        with self._database.writing() as connection:
            connection.execute(asked.values(request=what, request_by=codec.text(by)))

    def approve(self, run: int, wave: int, by: str, note: str = "") -> None:
        """Approve that a run goes on after a wave."""
        self._known(run)
        row: dict[str, Any] = {"run": run, "wave": wave, "note": codec.text(note)}
        with self._database.writing() as connection:
            row["at"] = clock(self._database.backend)
            row["by"] = codec.text(by, LONGEST_KEY)
            connection.execute(insert(approvals).values(**row))

    def ask(
        self,
        run: int,
        what: Literal["resume", "retry"],
        by: str,
        reason: str = "",
        targets: Sequence[str] = (),
    ) -> None:
        """Ask that somebody goes on with a run; one like it that was asked before is replaced."""
        self._known(run)
        gone = delete(requests).where(requests.c.run == run, requests.c.what == what)
        row: dict[str, Any] = {"run": run, "what": what, "reason": codec.text(reason)}
        row |= {"by": codec.text(by, LONGEST_KEY), "targets": codec.dumps(list(targets))}
        with self._database.writing() as connection:
            connection.execute(gone)
            row["at"] = clock(self._database.backend)
            connection.execute(insert(requests).values(**row))

    def asked(self) -> list[r.AskedRecord]:
        """Return what is asked of runs and nobody has done yet, oldest first."""
        with self._database.reading() as connection:
            return overview.asked_of(connection)

    def answered(self, run: int) -> None:
        """Forget what was asked of a run: somebody has it in hand."""
        with self._database.writing() as connection:
            connection.execute(delete(requests).where(requests.c.run == run))

    def observe(self, standings: Iterable[r.Standing], run: int | None = None) -> None:
        """Record at which heads targets were seen; only what differs from before is written."""
        seen = (
            Sighting(one.target, Place(-1, one.environment, one.database), one.heads, one.since)
            for one in standings
        )
        for several in batches(seen, _MANY):
            with self._database.writing() as connection:
                record(connection, several, run)

    def holder(self, run: int) -> str | None:
        """Who drives a run right now, as far as can be told. Raises ``UsageError``."""
        with self._database.reading() as connection:
            return lease.holder(connection, run, _TTL)

    def runs(self, *, limit: int | None = 20, unfinished: bool = False) -> list[r.RunRecord]:
        """The newest runs first."""
        with self._database.reading() as connection:
            return read.runs_of(connection, read.select_runs(limit, unfinished=unfinished))

    def runs_like(self, wanted: r.RunFilter, *, limit: int = 50) -> list[r.RunRecord]:
        """The newest runs that are wanted, newest first."""
        with self._database.reading() as connection:
            return read.runs_of(connection, overview.select_filtered(wanted, limit))

    def run(self, id: int) -> r.RunRecord:  # noqa: A002 - the column's name, and what it is
        """One run. Raises ``UsageError``, with the runs there are, for an unknown one."""
        with self._database.reading() as connection:
            found = read.runs_of(connection, read.select_run(id))
        return found[0] if found else self._unknown(id)

    def plan(self, run: int) -> str:
        """The plan of a run, as it was recorded."""
        with self._database.reading() as connection:
            found = connection.execute(select(runs.c.plan).where(runs.c.id == run)).scalar()
        if found is None:
            self._unknown(run)
        return str(found)

    def waves(self, run: int) -> list[r.WaveRecord]:
        """The waves of a run, in order."""
        with self._database.reading() as connection:
            return read.waves_of(connection, run)

    def targets(
        self, run: int, states: Iterable[State | None] | None = None
    ) -> list[r.TargetRecord]:
        """The targets of a run, in the order of its plan; those in some states only, or all."""
        with self._database.reading() as connection:
            return read.targets_of(connection, run, states)

    def cells(self, run: int) -> list[r.Cell]:
        """What the map of a run shows, in the order of its plan."""
        with self._database.reading() as connection:
            return overview.cells_of(connection, run)

    def states(self, run: int) -> list[tuple[int, State | None]]:
        """Where each target of a run stands, by position, and nothing else of it."""
        with self._database.reading() as connection:
            return overview.states_of(connection, run)

    def paces(self, run: int, since: int = 0) -> list[r.Pace]:
        """How long attempts took that ended after ``since``, in the order of their ends."""
        with self._database.reading() as connection:
            return overview.paces_of(connection, run, since)

    def mean(self, run: int) -> float | None:
        """How many milliseconds an attempt of a run took that succeeded; ``None`` for none."""
        with self._database.reading() as connection:
            return overview.mean_of(connection, run)

    def totals(self, bounds: Sequence[int] = ()) -> r.Totals:
        """What there is, counted; durations up to each of ``bounds``, in milliseconds."""
        with self._database.reading() as connection:
            return overview.totals_of(connection, bounds, now(connection))

    def seen(self) -> dict[str, r.Seen]:
        """What the newest run that had each target has to say of it, by the target's name."""
        with self._database.reading() as connection:
            return overview.seen_of(connection)

    def runs_with(self, target: str) -> list[tuple[r.RunRecord, int, State | None]]:
        """The newest runs that had a target, its position and where it stood in each."""
        with self._database.reading() as connection:
            return overview.runs_with(connection, target)

    def attempts(
        self,
        run: int,
        which: r.Which = r.Which.ALL,
        *,
        target: str | None = None,
        limit: int | None = None,
    ) -> list[r.AttemptRecord]:
        """Attempts of a run: of all targets or one, by position and number."""
        statement = read.select_attempts(run, which, target, limit)
        with self._database.reading() as connection:
            return read.attempts_of(connection, statement)

    def replayed(self, run: int) -> int:
        """How many revisions the attempts of a run replayed."""
        with self._database.reading() as connection:
            return read.replayed_of(connection, run)

    def gates(self, run: int) -> list[r.GateRecord]:
        """How each condition of each gate went last."""
        with self._database.reading() as connection:
            return read.gates_of(connection, run)

    def approvals(self, run: int) -> list[r.ApprovalRecord]:
        """Who approved what, oldest first."""
        with self._database.reading() as connection:
            return read.approvals_of(connection, run)

    def overrides(self, run: int) -> list[r.OverrideRecord]:
        """Who passed a closed gate, oldest first."""
        with self._database.reading() as connection:
            return read.overrides_of(connection, run)

    def remarks(self, run: int) -> list[r.RemarkRecord]:
        """What somebody decided about targets, oldest first."""
        with self._database.reading() as connection:
            return read.remarks_of(connection, run)

    def doubts(self, names: Collection[str] | None = None) -> list[r.DoubtRecord]:
        """Targets that a run left in doubt and that nobody resolved; of these names, or all."""
        with self._database.reading() as connection:
            if names is None:
                return read.doubts_of(connection, None)
            keys = sorted({codec.key(name) for name in names})
            several = (read.doubts_of(connection, some) for some in batches(keys, _MANY))
            return [doubt for some in several for doubt in some]

    def unfinished(self, names: Collection[str]) -> dict[int, str]:
        """Return the runs that are neither over nor failed and have still to come to targets of
        these names, each with one of those."""
        found: dict[int, str] = {}
        with self._database.reading() as connection:
            for some in batches(sorted({codec.key(name) for name in names}), _MANY):
                found |= read.unfinished_of(connection, some)
        return found

    def passed(self, environment: str, wave: str) -> list[str]:
        """Return the plans of the newest runs in which a wave of an environment passed."""
        with self._database.reading() as connection:
            return read.passed_of(connection, environment, wave)

    def projects(self) -> list[str]:
        """Return the names of the projects that it has runs of."""
        with self._database.reading() as connection:
            return list(connection.execute(select(runs.c.project).distinct()).scalars())

    def standings(self, environment: str, database: str) -> dict[str, list[r.Standing]]:
        """At which heads each target of a database has been since when, newest first."""
        with self._database.reading() as connection:
            return read.standings_of(connection, environment, database)

    def standing(self, target: str) -> list[r.Standing]:
        """At which heads one target has been since when, newest first."""
        with self._database.reading() as connection:
            return overview.standing_of(connection, target)

    def heads_now(self) -> dict[str, r.Standing]:
        """At which heads each target was seen last, by its name."""
        with self._database.reading() as connection:
            return overview.heads_now(connection)

    def durations(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], r.Estimate]:
        """How long the last successful attempts took, by database and ``path_of`` their work."""
        with self._database.reading() as connection:
            return read.durations_of(connection, keys)

    def _known(self, run: int) -> None:
        with self._database.reading() as connection:
            found = connection.execute(select(runs.c.id).where(runs.c.id == run)).scalar()
        if found is None:
            self._unknown(run)

    def _unknown(self, run: int) -> Any:
        with self._database.reading() as connection:
            ids = select(runs.c.id).order_by(runs.c.id.desc()).limit(10)
            there = [str(id_) for id_ in connection.execute(ids).scalars()]
        some = f"the newest are {', '.join(there)}" if there else "it has none yet"
        raise UsageError(f"the ledger at {self._database.shown} has no run {run}; {some}")

"""A run that this process holds: the only way to write what happens in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, select

from orchestrator.dialects import Fault
from orchestrator.ledger import lease
from orchestrator.ledger.changes import Place, changes_of
from orchestrator.ledger.clock import now
from orchestrator.ledger.connecting import Database
from orchestrator.ledger.errors import LedgerLost
from orchestrator.ledger.reading import approvals_of
from orchestrator.ledger.records import ApprovalRecord, Request
from orchestrator.ledger.tables import runs
from orchestrator.ledger.writing import write
from orchestrator.rollout.events import Event

# A connection may break in any transaction, and writing twice does no harm.
_ONCE_MORE = frozenset({Fault.LOST, Fault.DEADLOCK})


@dataclass(frozen=True, slots=True)
class Requests:
    """What others want of a run that we hold."""

    request: Request | None = None
    by: str | None = None
    approvals: tuple[ApprovalRecord, ...] = ()
    """Those that this hold has not told of yet."""
    now: int = 0
    """The time by the ledger's clock."""


class Hold:
    """The lease of a run.

    ``write`` and ``release`` are for one thread, ``beat`` may be called by another at any time.
    """

    def __init__(
        self, database: Database, run: int, token: int, verb: str, places: Mapping[str, Place]
    ) -> None:
        self.run, self.token = run, token
        self._database = database
        self._verb, self._places = verb, places
        self._told: set[ApprovalRecord] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def write(self, events: Sequence[Event]) -> None:
        """Record all the events, or none of them.

        Raises ``LeaseLost`` once somebody else holds the run, and ``LedgerLost`` where the ledger
        does not answer. After that they may have been recorded all the same: write them again.
        """
        if not events:
            return
        changes = changes_of(events, self._verb, self._places)

        def work(connection: Connection) -> None:
            lease.renew(connection, self.run, self.token)
            write(connection, self.run, changes)

        self._do(work)

    def beat(self) -> Requests:
        """Give a sign of life, and return what others want. Raises as ``write`` does."""
        found: list[Requests] = []

        def work(connection: Connection) -> None:
            lease.renew(connection, self.run, self.token)
            asked = select(runs.c.request, runs.c.request_by).where(runs.c.id == self.run)
            request, by = connection.execute(asked).one()
            approvals = approvals_of(connection, self.run)
            found.append(Requests(request, by, tuple(approvals), now(connection)))

        self._do(work)
        requests = found[-1]
        new = tuple(one for one in requests.approvals if one not in self._told)
        self._told.update(new)
        return replace(requests, approvals=new)

    def release(self) -> None:
        """Let others take the run; nothing where somebody has. Raises ``LedgerLost``."""
        self._do(lambda connection: lease.give_up(connection, self.run, self.token))

    def _do(self, work: Callable[[Connection], None]) -> None:
        try:
            with self._database.writing() as connection:
                work(connection)
        except LedgerLost as lost:
            if lost.fault not in _ONCE_MORE:
                raise
            with self._database.writing() as connection:
                work(connection)

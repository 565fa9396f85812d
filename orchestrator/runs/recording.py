"""What is written of a run while it runs: to its ledger, to ``--events``, to whoever watches."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from orchestrator.ledger.errors import LeaseLost, LedgerLost
from orchestrator.ledger.hold import Hold
from orchestrator.ledger.records import ApprovalRecord, Request
from orchestrator.rollout.events import Event

_HEARTBEAT = 1.0
"""Seconds between heartbeats, which also bring what others ask of the run."""
_RETRY_AFTER = 1.0
"""Seconds until a ledger that went away is tried again."""

Sink = Callable[[Event], None]


@dataclass(slots=True)
class Recorder:
    """The one way in which events reach the ledger of a run that we hold.

    What could not be written is kept, and written first as soon as the ledger is back. Entered, it
    keeps the lease alive in a thread.
    """

    hold: Hold
    sinks: Sequence[Sink] = ()
    ledger_error: str | None = None
    """Why nothing can be written at the moment."""
    lease_lost: str | None = None
    """Who has taken the run from us: we can write nothing more, ever."""
    request: Request | None = None
    """What somebody asked of the run, as of the last heartbeat."""
    request_by: str = ""
    approvals: list[ApprovalRecord] = field(default_factory=list)
    """Every approval of the run so far."""
    _kept: list[Event] = field(default_factory=list)
    _next_try: float = 0.0
    _away_since: float = 0.0
    _clock: tuple[int, float] = (0, 0.0)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Recorder":
        self._heartbeat()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join(2 * _HEARTBEAT)

    @property
    def now(self) -> int:
        """The time by the ledger's clock, in ms. This machine's clock may be changed meanwhile."""
        base, then = self._clock
        return base + round((time.monotonic() - then) * 1000)

    @property
    def ledger_away_for(self) -> float:
        """Seconds since the ledger went away; 0 while it is there."""
        return time.monotonic() - self._away_since if self.ledger_error is not None else 0.0

    def write(self, events: Sequence[Event], starts: Sequence[Event] = ()) -> bool:
        """Write in one transaction what happened and what is about to start.

        ``False``: nothing was written and nothing may start. What happened is kept for later,
        ``starts`` are not.
        """
        self._kept += events
        if self.lease_lost is not None:
            return False
        batch = [*self._kept, *starts]
        if not batch and self.ledger_error is None:
            return True
        if self.ledger_error is not None and time.monotonic() < self._next_try:
            return False
        try:
            self.hold.write(batch)
        except LeaseLost as error:
            self.lease_lost = str(error)
            return False
        except LedgerLost as error:
            self._ledger_away(error)
            return False
        self.ledger_error = None
        self._kept.clear()
        for event in batch:
            for sink in self.sinks:
                sink(event)
        return True

    @property
    def complete(self) -> bool:
        """Whether all that happened was written."""
        return not self._kept

    def _ledger_away(self, error: LedgerLost) -> None:
        if self.ledger_error is None:
            self._away_since = time.monotonic()
        self.ledger_error = str(error)
        self._next_try = time.monotonic() + _RETRY_AFTER

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT):
            if self.lease_lost is None:
                self._heartbeat()

    def _heartbeat(self) -> None:
        # A ledger that is gone is found out, and said, by who writes to it.
        with suppress(LedgerLost):
            try:
                sent = time.monotonic()
                requests = self.hold.beat()
            except LeaseLost as error:
                self.lease_lost = str(error)
                return
            self.request, self.request_by = requests.request, requests.by or ""
            self.approvals += requests.approvals
            self._clock = (requests.now, (sent + time.monotonic()) / 2)

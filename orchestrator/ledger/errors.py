"""What stands between a run and its ledger."""

from orchestrator.dialects import Fault
from orchestrator.errors import Refused


class Held(Refused):
    """Somebody else holds the run: ``holder`` says who, ``seconds`` since its last sign of life."""

    def __init__(self, run: int, holder: str, seconds: float) -> None:
        super().__init__(
            f"run {run} is held by {holder}, last seen {seconds:.0f} s ago; "
            "wait for it, or pause it first"
        )
        self.run, self.holder, self.seconds = run, holder, seconds


class LeaseLost(Refused):
    """Somebody else took the run over; nothing was written, and nothing more can be."""

    def __init__(self, run: int, holder: str | None) -> None:
        now = f"{holder} holds it now" if holder else "it was given up"
        super().__init__(f"run {run} is no longer held from here: {now}; nothing was recorded")
        self.run, self.holder = run, holder


class LedgerLost(Refused):
    """The ledger did not do what was asked. The same may be asked again: writing is idempotent."""

    def __init__(self, message: str, fault: Fault = Fault.OTHER) -> None:
        super().__init__(message)
        self.fault = fault
